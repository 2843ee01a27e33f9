# A read: the demand's number only serves to trace it.
{method: "POST", path: "/services/assures",
 body: {"IdentifiantUnique": {"@xmlns": "urn:cnss:assures", "IdDemande": .reference, "Cin": .fields.cin,
   "DateNaissance": .fields.birth_date}}}
