# 200 is the repetition of a 201: both carry the case. Until it is decided, the company is at work on it; the same call asks again.
# A decision that is not in the contract is doubt.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;
def decision: if . == "ACCEPTEE" then "accepted" elif . == "REJETEE" then "rejected" else null end;

(.body | object) as $body
| if (.status == 200 or .status == 201) and ($body.numero_dossier | type) == "string" and ($body.decision | decision) != null then
    {result: "completed", fields: {case_number: $body.numero_dossier, decision: ($body.decision | decision)}}
  elif (.status == 200 or .status == 201) and ($body.numero_dossier | type) == "string" and $body.decision == "EN_COURS" then
    {result: "progress",
     progress: {code: "being-studied", case_number: $body.numero_dossier, ar: "الملف عدد \($body.numero_dossier) قيد الدرس",
       fr: "Le dossier \($body.numero_dossier) est à l'étude", en: "Case \($body.numero_dossier) is being studied"},
     after: (if ($body.delai_secondes | type) == "number" then ($body.delai_secondes | floor) else 86400 end)}
  elif .status == 422 and $body.erreur == "REFERENCE_INCONNUE" then
    reason("unknown-reference"; "المرجع غير معروف لدى الشركة"; "Référence inconnue de la STEG"; "The company does not know this reference")
  elif .status == 503 and $body.erreur == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
