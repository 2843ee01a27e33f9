# A document is complete with number, size and hash; its content goes beside the outcome.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;

(.body | object) as $body
| ($body.attestation | object) as $reply
| ($body.erreur | object | .code) as $error
| if (.status == 200 or .status == 201) and ($reply.numero | type) == "string" and ($reply.taille | type) == "string" and ($reply.taille | test("^[0-9]{1,8}$")) then
    {result: "completed", fields: {document: {number: $reply.numero, type: $reply.type, size: ($reply.taille | tonumber), digest: $reply.sha256}}}
  elif .status == 422 and $error == "ASSURE_INCONNU" then
    reason("unknown-insured"; "المضمون غير معروف لدى الصندوق"; "Assuré ou affilié inconnu de la caisse"; "The fund does not know this insured person")
  elif .status == 503 and $error == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
