# Only a case number says that the text was recorded.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;
# A text with a language comes as an object.
def text: if type == "object" then .["#text"] else . end;

(.body | object | .Envelope | object | .Body | object) as $soap
| ($soap.DeposerDoleanceReponse | object) as $reply
| ($soap.Fault | object | .Reason | object | .Text | text) as $fault
| if .status == 200 and ($reply.NumeroDossier | type) == "string" then
    {result: "completed", fields: {case_number: $reply.NumeroDossier}}
  elif (.status == 500 or .status == 400) and $fault == "TEXTE_REFUSE" then
    reason("refused-text"; "لم يقبل النص: تجب إعادة صياغته"; "Le texte n'a pas été accepté : il doit être reformulé"; "The text was not accepted; it has to be worded again")
  elif .status == 503 and $fault == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
