# Only a number says that the money moved; what no rule covers is doubt.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;

(.body | object) as $body
| if .status == 201 and ($body.refund | type) == "string" then
    {result: "completed", fields: {refund: $body.refund}}
  elif .status == 409 and $body.code == "AMOUNT_EXCEEDED" then
    reason("amount-exceeded"; "المبلغ يتجاوز المبلغ المسموح به"; "Le montant dépasse ce qui est permis"; "The amount is more than is allowed")
  elif .status == 404 and $body.code == "UNKNOWN_PAYMENT" then
    reason("unknown-payment"; "عملية الدفع غير معروفة"; "Paiement inconnu"; "The payment is not known")
  elif .status == 503 and $body.code == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
