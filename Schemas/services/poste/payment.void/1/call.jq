# The key makes a repetition harmless: the same key gives the same answer.
{method: "POST", path: "/payments/v1/authorisations/\(.fields.authorisation | @uri)/voids", headers: {"Idempotency-Key": .reference},
 body: {order: .fields.order}}
