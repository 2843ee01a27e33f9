# A read changes nothing: whatever is not an amount is doubt, and the read is simply repeated.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;

(.body | object) as $body
| if .status == 200 and ($body.amount | type) == "number" then
    {result: "completed", fields: {amount: $body.amount}}
  elif .status == 400 and $body.error == "unknown_line" then
    reason("unknown-line"; "الخط غير معروف"; "Ligne inconnue"; "The line is not known")
  elif .status == 503 and $body.error == "maintenance" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
