# 200 is the repetition of a 201: both carry the case. Anything without a case number is doubt.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;

(.body | object) as $body
| if (.status == 200 or .status == 201) and ($body.caseNumber | type) == "string" then
    {result: "completed", fields: {case_number: $body.caseNumber}}
  elif .status == 422 and $body.code == "TEXT_REFUSED" then
    reason("refused-text"; "لم يقبل النص: تجب إعادة صياغته"; "Le texte n'a pas été accepté : il doit être reformulé"; "The text was not accepted; it has to be worded again")
  elif .status == 503 and $body.code == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
