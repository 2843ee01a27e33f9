# Only a number says that the money moved; what no rule covers is doubt.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;

(.body | object) as $body
| if .status == 201 and ($body.authorisation | type) == "string" then
    {result: "completed", fields: {authorisation: $body.authorisation, expires_at: $body.expiresAt}}
  elif .status == 402 and $body.code == "DECLINED" then
    reason("declined"; "رفضت عملية الدفع"; "Le paiement a été refusé"; "The payment was declined")
  elif .status == 503 and $body.code == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
