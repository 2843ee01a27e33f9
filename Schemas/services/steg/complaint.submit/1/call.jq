# Putting it again under our reference changes nothing. A phone that was not given is left out.
{method: "PUT", path: "/api/doleances/\(.reference | @uri)",
 body: ({objet: .fields.subject, texte: .fields.text} + (if .fields.phone then {telephone: .fields.phone} else {} end))}
