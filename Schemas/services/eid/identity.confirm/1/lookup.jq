{method: "GET", path: "/identity/v1/confirmations?correlation=\(.reference | @uri)"}
