{method: "POST", path: "/api/releves",
 body: {reference_client: .fields.reference, numero_compteur: .fields.meter_number, index: .fields.index,
        date_releve: .fields.read_at, reference_externe: .reference}}
