# A change is listed under our reference once it is recorded; only an empty list says that it is not.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;

(.body | object) as $body
| ($body.changement | object) as $reply
| ($body.erreur | object | .code) as $error
| ($body.changements | object | .changement) as $found
| (if ($found | type) == "array" then $found[0] | object else $found | object end) as $first
| if .phase == "lookup" and .status == 200 and $body.changements == "" then
    {result: "absent"}
  elif .phase == "lookup" and .status == 200 and ($first.dateEffet | type) == "string" then
    {result: "completed", fields: {effective_date: $first.dateEffet}}
  elif .phase == "lookup" then
    {result: "doubt", why: "lookup status \(.status)"}
  elif .status == 201 and ($reply.dateEffet | type) == "string" then
    {result: "completed", fields: {effective_date: $reply.dateEffet}}
  elif .status == 422 and $error == "ASSURE_INCONNU" then
    reason("unknown-insured"; "المضمون غير معروف لدى الصندوق"; "Assuré ou affilié inconnu de la caisse"; "The fund does not know this insured person")
  elif .status == 422 and $error == "FILIERE_FERMEE" then
    reason("channel-not-open"; "المنظومة المطلوبة غير مفتوحة لهذا المضمون حاليا"; "La filière demandée n'est pas ouverte à cet assuré pour l'instant"; "The channel asked for is not open to this person at present")
  elif .status == 503 and $error == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
