# The demand's number makes a repetition harmless: the same number gives the same document.
{method: "POST", path: "/services/assures",
 body: {"AttestationPension": {"@xmlns": "urn:cnss:assures", "IdDemande": .reference, "Cin": .fields.cin,
   "NumeroSecuriteSociale": .fields.social_security_number}}}
