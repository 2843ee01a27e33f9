# Only a case number says that the text was recorded.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;

(.body | object) as $body
| if .status == 200 and $body.etat == "OK" and ($body.dossier | type) == "string" then
    {result: "completed", fields: {case_number: $body.dossier}}
  elif .status == 200 and $body.etat == "REFUS" and $body.code == "TEXTE_REFUSE" then
    reason("refused-text"; "لم يقبل النص: تجب إعادة صياغته"; "Le texte n'a pas été accepté : il doit être reformulé"; "The text was not accepted; it has to be worded again")
  elif .status == 503 and $body.etat == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
