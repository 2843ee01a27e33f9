# A read changes nothing: whatever is not an identifier is doubt, and the read is repeated.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;
# A text with a language comes as an object.
def text: if type == "object" then .["#text"] else . end;

(.body | object | .Envelope | object | .Body | object) as $soap
| ($soap.IdentifiantUniqueReponse | object) as $reply
| ($soap.Fault | object | .Reason | object | .Text | text) as $fault
| if .status == 200 and ($reply.IdentifiantUnique | type) == "string" then
    {result: "completed", fields: {unique_id: $reply.IdentifiantUnique}}
  elif (.status == 500 or .status == 400) and $fault == "CIN_INCONNU" then
    reason("unknown-cin"; "رقم بطاقة التعريف غير معروف لدى الصندوق"; "Numéro de CIN inconnu de la caisse"; "The fund does not know this identity card number")
  elif .status == 503 and $fault == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
