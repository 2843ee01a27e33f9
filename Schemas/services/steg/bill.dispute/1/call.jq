# Our reference names the dispute at the company: putting it again changes nothing.
{method: "PUT", path: "/api/reclamations/\(.reference | @uri)",
 body: {reference_client: .fields.reference, periode: .fields.period, motif: .fields.reason}}
