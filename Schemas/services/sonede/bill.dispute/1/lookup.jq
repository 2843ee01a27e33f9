{method: "POST", path: "/ws/clientele",
 headers: {"SOAPAction": "\"urn:sonede:ChercherReclamation\""},
 body: {"ChercherReclamation": {"@xmlns": "urn:sonede:clientele", "ReferenceExterne": .reference}}}
