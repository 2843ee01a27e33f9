# A read changes nothing: a state that the contract does not name is doubt.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;

(.body | object) as $body
| ($body.dossier | object) as $reply
| ($body.erreur | object | .code) as $error
| if .status == 200 and ($reply.etat == "EN_COURS" or $reply.etat == "PAYE" or $reply.etat == "REJETE") then
    {result: "completed", fields: {state: (if $reply.etat == "EN_COURS" then "pending" elif $reply.etat == "PAYE" then "paid" else "rejected" end)}}
  elif .status == 404 and $error == "DOSSIER_INCONNU" then
    reason("unknown-case"; "رقم الملف غير معروف لدى الصندوق"; "Numéro de dossier inconnu de la caisse"; "The fund does not know this case number")
  elif .status == 503 and $error == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
