{method: "POST", path: "/ws/clientele",
 headers: {"SOAPAction": "\"urn:sonede:ConsulterFacture\""},
 body: {"ConsulterFacture": {"@xmlns": "urn:sonede:clientele",
   "CleOperation": .reference, "NumeroPolice": .fields.police_number}}}
