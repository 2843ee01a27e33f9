# The demand's number makes a repetition harmless.
{method: "POST", path: "/services/assures",
 body: {"DeposerDoleance": ({"@xmlns": "urn:cnss:assures", "IdDemande": .reference,
   "Objet": .fields.subject, "Texte": .fields.text}
   + (if .fields.phone then {"Telephone": .fields.phone} else {} end))}}
