# 200 is the repetition of a 201: both carry the case.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;

(.body | object) as $body
| ($body.doleance | object) as $reply
| ($body.erreur | object | .code) as $error
| if (.status == 200 or .status == 201) and ($reply.numero | type) == "string" then
    {result: "completed", fields: {case_number: $reply.numero}}
  elif .status == 422 and $error == "TEXTE_REFUSE" then
    reason("refused-text"; "لم يقبل النص: تجب إعادة صياغته"; "Le texte n'a pas été accepté : il doit être reformulé"; "The text was not accepted; it has to be worded again")
  elif .status == 503 and $error == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
