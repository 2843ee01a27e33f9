{method: "GET", path: "/v1/tickets?external_ref=\(.reference | @uri)"}
