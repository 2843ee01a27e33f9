# Putting it again under our reference changes nothing.
{method: "PUT", path: "/api/doleances/\(.reference | @uri)",
 body: {doleance: ({objet: .fields.subject, texte: .fields.text} + (if .fields.phone then {telephone: .fields.phone} else {} end))}}
