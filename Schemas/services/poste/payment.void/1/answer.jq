# Only a number says that the money moved; what no rule covers is doubt.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;

(.body | object) as $body
| if .status == 201 and ($body.void | type) == "string" then
    {result: "completed", fields: {void: $body.void}}
  elif .status == 409 and $body.code == "ALREADY_CAPTURED" then
    reason("already-captured"; "وقع استخلاص هذا المبلغ من قبل"; "Ce paiement est déjà encaissé"; "This payment has already been captured")
  elif .status == 404 and $body.code == "UNKNOWN_PAYMENT" then
    reason("unknown-payment"; "عملية الدفع غير معروفة"; "Paiement inconnu"; "The payment is not known")
  elif .status == 503 and $body.code == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
