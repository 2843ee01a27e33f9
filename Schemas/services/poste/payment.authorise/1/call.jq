# The key makes a repetition harmless: the same key gives the same answer.
{method: "POST", path: "/payments/v1/authorisations", headers: {"Idempotency-Key": .reference},
 body: {amount: .fields.amount, method: .fields.method, account: .fields.account, order: .fields.order}}
