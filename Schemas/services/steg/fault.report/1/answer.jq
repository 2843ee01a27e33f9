# Only a case number says that the incident was recorded: a second report would be a second case.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;

(.body | object) as $body
| if .status == 201 and ($body.numero_dossier | type) == "string" then
    {result: "completed", fields: {case_number: $body.numero_dossier}}
  elif .status == 422 and $body.erreur == "REFERENCE_INCONNUE" then
    reason("unknown-reference"; "المرجع غير معروف لدى الشركة"; "Référence inconnue de la STEG"; "The company does not know this reference")
  elif .status == 503 and $body.erreur == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
