# The operation's key makes a repetition harmless. A phone that was not given is left out: an empty element would be a value.
{method: "POST", path: "/ws/clientele",
 headers: {"SOAPAction": "\"urn:sonede:DeposerDoleance\""},
 body: {"DeposerDoleance": ({"@xmlns": "urn:sonede:clientele",
   "CleOperation": .reference, "Objet": .fields.subject, "Texte": .fields.text}
   + (if .fields.phone then {"Telephone": .fields.phone} else {} end))}}
