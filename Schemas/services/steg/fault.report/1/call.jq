# This API knows no idempotency key and no lookup: our reference in the comment is for the people who compare by hand.
{method: "POST", path: "/api/incidents",
 body: {reference_client: .fields.reference, lieu: .fields.place,
        nature: {"outage": "COUPURE", "low-voltage": "BAISSE_TENSION", "fallen-cable": "CABLE_TOMBE", "meter": "COMPTEUR"}[.fields.kind],
        commentaire: .reference}}
