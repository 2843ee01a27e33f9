{method: "GET", path: "/api/paiements?reference_externe=\(.reference | @uri)"}
