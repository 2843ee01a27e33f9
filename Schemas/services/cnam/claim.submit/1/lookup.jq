{method: "GET", path: "/api/dossiers?reference=\(.reference | @uri)"}
