{method: "GET", path: "/identity/v1/identities/\(.fields.cin | @uri)/validity", headers: {"x-correlation": .reference}}
