# A reading is listed under our reference once it is recorded; only an empty list says that it is not.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;

(.body | object) as $body
| (if .status == 200 then $body.releves else null end) as $list
| (if ($list | type) == "array" then $list[0] | object else {} end) as $first
| if .phase == "lookup" and $list == [] then
    {result: "absent"}
  elif .phase == "lookup" and ($first.accepte | type) == "boolean" and ($first.estimation_millimes | type) == "number" then
    {result: "completed", fields: {accepted: $first.accepte, estimate: $first.estimation_millimes},
     order: {reference: $first.reference_client, meter_number: $first.numero_compteur, index: $first.index}}
  elif .phase == "lookup" then
    {result: "doubt", why: "status \(.status)"}
  elif .status == 201 and ($body.accepte | type) == "boolean" and ($body.estimation_millimes | type) == "number" then
    {result: "completed", fields: {accepted: $body.accepte, estimate: $body.estimation_millimes}}
  elif .status == 422 and $body.erreur == "REFERENCE_INCONNUE" then
    reason("unknown-reference"; "المرجع غير معروف لدى الشركة"; "Référence inconnue de la STEG"; "The company does not know this reference")
  elif .status == 422 and $body.erreur == "COMPTEUR_INCONNU" then
    reason("unknown-meter"; "رقم العداد غير معروف لدى الشركة أو لا يوافق هذا المرجع"; "Numéro de compteur inconnu ou sans lien avec cette référence"; "The meter number is not known, or does not belong to this reference")
  elif .status == 422 and $body.erreur == "INDEX_INFERIEUR" then
    reason("index-too-low"; "المؤشر أقل من آخر مؤشر مسجل"; "L'index est inférieur au dernier index enregistré"; "The index is lower than the last one on record")
  elif .status == 503 and $body.erreur == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
