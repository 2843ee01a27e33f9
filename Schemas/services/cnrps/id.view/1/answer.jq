# A read changes nothing: whatever is not an identifier is doubt, and the read is repeated.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;

(.body | object) as $body
| if .status == 200 and $body.etat == "OK" and ($body.iu | type) == "string" then
    {result: "completed", fields: {unique_id: $body.iu}}
  elif .status == 200 and $body.etat == "REFUS" and $body.code == "CIN_INCONNU" then
    reason("unknown-cin"; "رقم بطاقة التعريف غير معروف لدى الصندوق"; "Numéro de CIN inconnu de la caisse"; "The fund does not know this identity card number")
  elif .status == 503 and $body.etat == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
