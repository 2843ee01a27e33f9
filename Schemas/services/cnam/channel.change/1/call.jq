{method: "POST", path: "/api/filieres",
 body: {changement: {reference: .reference, matricule: .fields.insured_id,
   filiere: {"public": "PUBLIQUE", "private": "PRIVEE", "reimbursement": "REMBOURSEMENT"}[.fields.new_channel]}}}
