# The key makes a repetition harmless: the same key gives the same document.
{method: "POST", path: "/guichet",
 body: {action: "attestation_affiliation", cle: .reference, cin: .fields.cin, iu: .fields.unique_id}}
