# Only a case number says that the leak was recorded: a second report would be a second case.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;

(.body | object | .Envelope | object | .Body | object) as $soap
| ($soap.SignalerFuiteReponse | object) as $reply
| ($soap.Fault | object | .faultstring) as $fault
| if .status == 200 and ($reply.NumeroDossier | type) == "string" then
    {result: "completed", fields: {case_number: $reply.NumeroDossier}}
  elif .status == 500 and $fault == "LIEU_INCONNU" then
    reason("refused-text"; "المكان غير معروف: يجب تحديده بأكثر دقة"; "Lieu inconnu : il faut l'indiquer plus précisément"; "The place is not known; it has to be described more precisely")
  elif .status == 503 and $fault == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
