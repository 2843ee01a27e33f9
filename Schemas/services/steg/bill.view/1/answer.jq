# 200 and 404 are this API's contract; whatever else comes is doubt, and a read is simply repeated.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;

(.body | object) as $body
| if .status == 200 and ($body.montant_millimes | type) == "number" then
    {result: "completed",
     fields: {amount: $body.montant_millimes, due_date: $body.echeance,
              status: (if $body.etat == "PAYEE" then "paid" else "due" end)}}
  elif .status == 404 and $body.erreur == "REFERENCE_INCONNUE" then
    reason("unknown-reference"; "المرجع غير معروف لدى الشركة"; "Référence inconnue de la STEG"; "The company does not know this reference")
  elif .status == 503 and $body.erreur == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
