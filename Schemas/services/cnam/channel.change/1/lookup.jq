{method: "GET", path: "/api/filieres?reference=\(.reference | @uri)"}
