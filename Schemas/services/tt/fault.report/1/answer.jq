# A ticket is listed under our reference once it is open; only an empty list says that there is none.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;

(.body | object) as $body
| (if .status == 200 then $body.tickets else null end) as $list
| (if ($list | type) == "array" then $list[0] | object else {} end) as $first
| if .phase == "lookup" and $list == [] then
    {result: "absent"}
  elif .phase == "lookup" and ($first.ticket | type) == "string" then
    {result: "completed", fields: {case_number: $first.ticket}}
  elif .phase == "lookup" then
    {result: "doubt", why: "status \(.status)"}
  elif .status == 201 and ($body.ticket | type) == "string" then
    {result: "completed", fields: {case_number: $body.ticket}}
  elif .status == 400 and $body.error == "unknown_line" then
    reason("unknown-line"; "الخط غير معروف"; "Ligne inconnue"; "The line is not known")
  elif .status == 503 and $body.error == "maintenance" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
