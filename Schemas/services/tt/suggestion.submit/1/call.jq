# Putting it again under our reference changes nothing.
{method: "PUT", path: "/v1/suggestions/\(.reference | @uri)",
 body: {subject: .fields.subject, text: .fields.text}}
