{method: "GET", path: "/v1/lines/\(.fields.line | @uri)/bill", headers: {"x-memo": .reference}}
