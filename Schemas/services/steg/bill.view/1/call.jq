{method: "GET", path: "/api/factures/\(.fields.reference)", headers: {"x-reference-externe": .reference}}
