# The operation's key makes a repetition harmless: the same key gives the same receipt.
{method: "POST", path: "/ws/paiement",
 headers: {"SOAPAction": "\"urn:sonede:PayerFacture\""},
 body: {"PayerFacture": {"@xmlns": "urn:sonede:paiement",
   "CleOperation": .reference, "NumeroPolice": .fields.police_number,
   "MontantMillimes": .fields.amount, "Mode": .fields.payment}}}
