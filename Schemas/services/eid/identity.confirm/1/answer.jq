# A confirmation is listed under our correlation once it is made; a level that is not in the contract is doubt.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;

(.body | object) as $body
| (if .status == 200 then $body.confirmations else null end) as $list
| (if ($list | type) == "array" then $list[0] | object else {} end) as $first
| if .phase == "lookup" and $list == [] then
    {result: "absent"}
  elif .phase == "lookup" and ($first.assuranceLevel | . == "low" or . == "substantial" or . == "high") and ($first.confirmedAt | type) == "string" then
    {result: "completed", fields: {assurance_level: $first.assuranceLevel, confirmed_at: $first.confirmedAt}}
  elif .phase == "lookup" then
    {result: "doubt", why: "status \(.status)"}
  elif .status == 201 and ($body.assuranceLevel | . == "low" or . == "substantial" or . == "high") and ($body.confirmedAt | type) == "string" then
    {result: "completed", fields: {assurance_level: $body.assuranceLevel, confirmed_at: $body.confirmedAt}}
  elif .status == 404 and $body.code == "CIN_UNKNOWN" then
    reason("unknown-cin"; "رقم بطاقة التعريف غير معروف لدى مصالح الهوية الرقمية"; "Numéro de CIN inconnu du service de l'identité numérique"; "The digital identity service does not know this identity card number")
  elif .status == 409 and $body.code == "PHONE_MISMATCH" then
    reason("phone-mismatch"; "رقم الهاتف لا يوافق الهوية الرقمية المسجلة"; "Le numéro de téléphone ne correspond pas à l'identité numérique enregistrée"; "The phone number is not the one registered with the digital identity")
  elif .status == 503 and $body.code == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
