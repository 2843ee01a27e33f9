{method: "POST", path: "/api/paiements",
 body: {reference_facture: .fields.reference, montant_millimes: .fields.amount, mode: .fields.payment,
        reference_externe: .reference}}
