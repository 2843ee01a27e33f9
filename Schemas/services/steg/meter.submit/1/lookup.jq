{method: "GET", path: "/api/releves?reference_externe=\(.reference | @uri)"}
