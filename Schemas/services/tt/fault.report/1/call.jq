# The same words as ours, written with _ as this API does.
{method: "POST", path: "/v1/tickets",
 body: {line: .fields.line, symptom: (.fields.symptom | gsub("-"; "_")), external_ref: .reference}}
