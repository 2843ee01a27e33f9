# One dossier comes as an object, several as an array, none as an empty text; a reply that is not there at all says nothing.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;
def decision:
  if . == "EN_COURS" then "pending" elif . == "ACCEPTEE" then "accepted" elif . == "REJETEE" then "rejected" else null end;

(.body | object | .Envelope | object | .Body | object) as $soap
| ($soap.DeposerReclamationReponse | object) as $reply
| ($soap.Fault | object | .faultstring) as $fault
| $soap.ChercherReclamationReponse as $found
| ($found | object | .Dossier | if type == "array" then .[0] else . end | object) as $dossier
| if .phase == "lookup" and .status == 200
      and ($found == "" or (($found | type) == "object" and ($found | has("Dossier") | not))) then
    {result: "absent"}
  elif .phase == "lookup" and .status == 200 and ($dossier.NumeroDossier | type) == "string" and ($dossier.Decision | decision) != null then
    {result: "completed", fields: {case_number: $dossier.NumeroDossier, decision: ($dossier.Decision | decision)}}
  elif .phase == "lookup" then
    {result: "doubt", why: "status \(.status)"}
  elif .status == 200 and ($reply.NumeroDossier | type) == "string" and ($reply.Decision | decision) != null then
    {result: "completed", fields: {case_number: $reply.NumeroDossier, decision: ($reply.Decision | decision)}}
  elif .status == 500 and $fault == "POLICE_INCONNUE" then
    reason("unknown-police"; "رقم الاشتراك غير معروف"; "Numéro de police inconnu"; "The police number is not known")
  elif .status == 503 and $fault == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
