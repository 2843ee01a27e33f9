# A document is complete with number, size and hash; its content goes beside the outcome.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;
# A text with a language comes as an object.
def text: if type == "object" then .["#text"] else . end;

(.body | object | .Envelope | object | .Body | object) as $soap
| ($soap.AttestationAffiliationReponse | object) as $reply
| ($soap.Fault | object | .Reason | object | .Text | text) as $fault
| if .status == 200 and ($reply.NumeroDocument | type) == "string" and ($reply.Taille | type) == "string" and ($reply.Taille | test("^[0-9]{1,8}$")) then
    {result: "completed", fields: {document: {number: $reply.NumeroDocument, type: $reply.TypeMime, size: ($reply.Taille | tonumber), digest: $reply.EmpreinteSha256}}}
  elif (.status == 500 or .status == 400) and $fault == "ASSURE_INCONNU" then
    reason("unknown-insured"; "المضمون غير معروف لدى الصندوق"; "Assuré ou affilié inconnu de la caisse"; "The fund does not know this insured person")
  elif .status == 503 and $fault == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
