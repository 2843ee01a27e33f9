# The key makes a repetition harmless.
{method: "POST", path: "/guichet",
 body: ({action: "doleance", cle: .reference, objet: .fields.subject, texte: .fields.text}
   + (if .fields.phone then {telephone: .fields.phone} else {} end))}
