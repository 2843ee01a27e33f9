# Putting it again under our reference changes nothing.
{method: "PUT", path: "/api/suggestions/\(.reference | @uri)",
 body: {suggestion: {objet: .fields.subject, texte: .fields.text}}}
