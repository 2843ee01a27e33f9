# The key makes a repetition harmless: the same key gives the same certificate.
{method: "POST", path: "/api/attestations", body: {demande: {cle: .reference, matricule: .fields.insured_id}}}
