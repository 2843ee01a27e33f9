{method: "POST", path: "/identity/v1/confirmations",
 body: {cin: .fields.cin, phone: .fields.phone, correlation: .reference}}
