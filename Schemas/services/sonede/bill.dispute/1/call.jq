{method: "POST", path: "/ws/clientele",
 headers: {"SOAPAction": "\"urn:sonede:DeposerReclamation\""},
 body: {"DeposerReclamation": {"@xmlns": "urn:sonede:clientele",
   "ReferenceExterne": .reference, "NumeroPolice": .fields.police_number, "Motif": .fields.reason}}}
