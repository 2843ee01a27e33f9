# The key makes a repetition harmless: the same key gives the same answer.
{method: "POST", path: "/payments/v1/captures/\(.fields.capture | @uri)/refunds", headers: {"Idempotency-Key": .reference},
 body: {amount: .fields.amount, order: .fields.order}}
