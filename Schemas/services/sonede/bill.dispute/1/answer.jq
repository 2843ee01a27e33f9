# One dossier comes as an object, several as an array; none as an empty reply or with their number, 0. Any other reply says nothing of it.
# Until it is decided, the company is at work on it and says when to ask again.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;
def decision: if . == "ACCEPTEE" then "accepted" elif . == "REJETEE" then "rejected" else null end;
def progress:
  {result: "progress",
   progress: {code: "being-studied", case_number: .NumeroDossier, ar: "الملف عدد \(.NumeroDossier) قيد الدرس",
     fr: "Le dossier \(.NumeroDossier) est à l'étude", en: "Case \(.NumeroDossier) is being studied"},
   after: (if (.DelaiSecondes | type) == "string" and (.DelaiSecondes | test("^[0-9]{1,6}$")) then (.DelaiSecondes | tonumber) else 86400 end)};
def isPending: (.NumeroDossier | type) == "string" and .Decision == "EN_COURS";

(.body | object | .Envelope | object | .Body | object) as $soap
| ($soap.DeposerReclamationReponse | object) as $reply
| ($soap.Fault | object | .faultstring) as $fault
| $soap.ChercherReclamationReponse as $found
| ($found | object | .Dossier | if type == "array" then .[0] else . end | object) as $dossier
| if .phase == "lookup" and .status == 200
      and ($found == "" or (($found | type) == "object" and $found.Nombre == "0" and ($found | has("Dossier") | not))) then
    {result: "absent"}
  elif .phase == "lookup" and .status == 200 and ($dossier.NumeroDossier | type) == "string" and ($dossier.Decision | decision) != null then
    {result: "completed", fields: {case_number: $dossier.NumeroDossier, decision: ($dossier.Decision | decision)}}
  elif .phase == "lookup" and .status == 200 and ($dossier | isPending) then
    $dossier | progress
  elif .phase == "lookup" then
    {result: "doubt", why: "status \(.status)"}
  elif .status == 200 and ($reply.NumeroDossier | type) == "string" and ($reply.Decision | decision) != null then
    {result: "completed", fields: {case_number: $reply.NumeroDossier, decision: ($reply.Decision | decision)}}
  elif .status == 200 and ($reply | isPending) then
    $reply | progress
  elif .status == 500 and $fault == "POLICE_INCONNUE" then
    reason("unknown-police"; "رقم الاشتراك غير معروف"; "Numéro de police inconnu"; "The police number is not known")
  elif .status == 503 and $fault == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
