# A read changes nothing: whatever is not a day is doubt, and the read is simply repeated.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;

(.body | object) as $body
| if .status == 200 and ($body.validUntil | type) == "string" then
    {result: "completed", fields: {valid_until: $body.validUntil}}
  elif .status == 404 and $body.code == "CIN_UNKNOWN" then
    reason("unknown-cin"; "رقم بطاقة التعريف غير معروف لدى مصالح الهوية الرقمية"; "Numéro de CIN inconnu du service de l'identité numérique"; "The digital identity service does not know this identity card number")
  elif .status == 503 and $body.code == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
