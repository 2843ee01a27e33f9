# The key makes a repetition harmless.
{method: "POST", path: "/guichet",
 body: {action: "suggestion", cle: .reference, objet: .fields.subject, texte: .fields.text}}
