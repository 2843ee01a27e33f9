# XML carries text: an amount that is not digits only is not an amount, and the read is repeated.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;

(.body | object | .Envelope | object | .Body | object) as $soap
| ($soap.ConsulterFactureReponse | object) as $reply
| ($soap.Fault | object | .faultstring) as $fault
| if .status == 200 and ($reply.DateEcheance | type) == "string"
      and ($reply.MontantMillimes | if type == "string" then test("^[0-9]+$") else false end) then
    {result: "completed", fields: {amount: ($reply.MontantMillimes | tonumber), due_date: $reply.DateEcheance}}
  elif .status == 500 and $fault == "POLICE_INCONNUE" then
    reason("unknown-police"; "رقم الاشتراك غير معروف"; "Numéro de police inconnu"; "The police number is not known")
  elif .status == 503 and $fault == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
