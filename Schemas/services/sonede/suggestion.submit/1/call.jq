# The operation's key makes a repetition harmless: the same key gives the same case.
{method: "POST", path: "/ws/clientele",
 headers: {"SOAPAction": "\"urn:sonede:DeposerSuggestion\""},
 body: {"DeposerSuggestion": {"@xmlns": "urn:sonede:clientele",
   "CleOperation": .reference, "Objet": .fields.subject, "Texte": .fields.text}}}
