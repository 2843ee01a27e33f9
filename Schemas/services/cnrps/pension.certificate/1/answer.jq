# A document is complete with number, size and hash; its content goes beside the outcome.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;

(.body | object) as $body
| if .status == 200 and $body.etat == "OK" and ($body.numero | type) == "string" and ($body.taille | type) == "string" and ($body.taille | test("^[0-9]{1,8}$")) then
    {result: "completed", fields: {document: {number: $body.numero, type: $body.type, size: ($body.taille | tonumber), digest: $body.sha256}}}
  elif .status == 200 and $body.etat == "REFUS" and $body.code == "AFFILIE_INCONNU" then
    reason("unknown-insured"; "المضمون غير معروف لدى الصندوق"; "Assuré ou affilié inconnu de la caisse"; "The fund does not know this insured person")
  elif .status == 200 and $body.etat == "REFUS" and $body.code == "PAS_DE_PENSION" then
    reason("no-pension"; "لا توجد جراية باسم هذا المضمون"; "Aucune pension n'est servie à cet assuré"; "No pension is paid to this insured person")
  elif .status == 503 and $body.etat == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
