# This operation knows no key and no lookup: our reference in the remark is for the people who compare by hand.
{method: "POST", path: "/ws/clientele",
 headers: {"SOAPAction": "\"urn:sonede:SignalerFuite\""},
 body: {"SignalerFuite": {"@xmlns": "urn:sonede:clientele",
   "Lieu": .fields.place, "Nature": {"street": "RUE", "meter": "COMPTEUR", "building": "IMMEUBLE"}[.fields.kind],
   "Observation": .reference}}}
