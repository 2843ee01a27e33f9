# Putting it again under our reference changes nothing. A phone that was not given is left out.
{method: "PUT", path: "/v1/complaints/\(.reference | @uri)",
 body: ({subject: .fields.subject, text: .fields.text} + (if .fields.phone then {phone: .fields.phone} else {} end))}
