# The demand's number makes a repetition harmless.
{method: "POST", path: "/services/assures",
 body: {"DeposerSuggestion": {"@xmlns": "urn:cnss:assures", "IdDemande": .reference,
   "Objet": .fields.subject, "Texte": .fields.text}}}
