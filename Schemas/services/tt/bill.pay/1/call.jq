# This API knows no idempotency key and no lookup: an unanswered call is never repeated.
{method: "POST", path: "/v1/payments",
 body: {line: .fields.line, amount: .fields.amount, channel: .fields.payment, memo: .reference}}
