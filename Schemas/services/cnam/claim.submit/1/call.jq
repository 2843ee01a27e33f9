# The claim is found again under our reference; its papers are named by their hashes.
{method: "POST", path: "/api/dossiers",
 body: {dossier: {reference: .reference, matricule: .fields.insured_id, rib: .fields.rib, dateSoins: .fields.care_date,
   pieces: {piece: [.fields.attachments[] | {nom: .name, sha256: .digest}]}}}}
