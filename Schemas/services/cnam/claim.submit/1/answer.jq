# Papers come first, each by its hash. A claim is listed under our reference once it is received; only an empty list says that it is not.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;

(.body | object) as $body
| ($body.dossier | object) as $reply
| ($body.erreur | object | .code) as $error
| ($body.dossiers | object | .dossier) as $found
| (if ($found | type) == "array" then $found[0] | object else $found | object end) as $first
| if .phase == "upload" and (.status == 201 or .status == 204) then
    {result: "uploaded"}
  elif .phase == "upload" and .status == 422 and $error == "PIECE_REFUSEE" then
    reason("paper-refused"; "رفض الصندوق وثيقة من الوثائق المرفقة"; "La caisse refuse une des pièces jointes"; "The fund refuses one of the papers")
  elif .phase == "upload" then
    {result: "definite-no", why: "upload status \(.status)"}
  elif .phase == "lookup" and .status == 200 and $body.dossiers == "" then
    {result: "absent"}
  elif .phase == "lookup" and .status == 200 and ($first.numero | type) == "string" then
    {result: "completed", fields: {case_number: $first.numero}}
  elif .phase == "lookup" then
    {result: "doubt", why: "lookup status \(.status)"}
  elif .status == 201 and ($reply.numero | type) == "string" then
    {result: "completed", fields: {case_number: $reply.numero}}
  elif .status == 422 and $error == "ASSURE_INCONNU" then
    reason("unknown-insured"; "المضمون غير معروف لدى الصندوق"; "Assuré ou affilié inconnu de la caisse"; "The fund does not know this insured person")
  elif .status == 409 and $error == "PIECE_ABSENTE" then
    {result: "definite-no", why: "a paper is not there yet", after: 2}
  elif .status == 503 and $error == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
