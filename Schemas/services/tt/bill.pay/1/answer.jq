# Only a receipt says that the payment is done; without one nobody here can tell, and it is never repeated.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;

(.body | object) as $body
| if .status == 200 and ($body.receipt | type) == "string" then
    {result: "completed", fields: {receipt_number: $body.receipt}}
  elif .status == 400 and $body.error == "unknown_line" then
    reason("unknown-line"; "الخط غير معروف"; "Ligne inconnue"; "The line is not known")
  elif .status == 400 and $body.error == "amount_refused" then
    reason("amount-refused"; "المبلغ لا يطابق الفاتورة"; "Le montant ne correspond pas à la facture"; "The amount does not match the bill")
  elif .status == 503 and $body.error == "maintenance" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
