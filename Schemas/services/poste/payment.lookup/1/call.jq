{method: "GET", path: "/payments/v1/orders/\(.fields.order | @uri)", headers: {"x-reference": .reference}}
