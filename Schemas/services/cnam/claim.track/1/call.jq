{method: "GET", path: "/api/dossiers/\(.fields.case_number | @uri)", headers: {"x-reference": .reference}}
