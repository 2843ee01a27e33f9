# A read changes nothing: what is not a state of the contract is doubt.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;

(.body | object) as $body
| if .status == 200 and ($body.state | type) == "string" then
    {result: "completed", fields: {order: $body.order, state: $body.state, authorised: $body.authorised, captured: $body.captured, refunded: $body.refunded}}
  elif .status == 503 and $body.code == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
