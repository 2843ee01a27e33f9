# The repetition of a payment gives the same receipt, so only a receipt says that it is done.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;

(.body | object | .Envelope | object | .Body | object) as $soap
| ($soap.PayerFactureReponse | object) as $reply
| ($soap.Fault | object | .faultstring) as $fault
| if .status == 200 and ($reply.NumeroQuittance | type) == "string" then
    {result: "completed", fields: {receipt_number: $reply.NumeroQuittance}}
  elif .status == 500 and $fault == "POLICE_INCONNUE" then
    reason("unknown-police"; "رقم الاشتراك غير معروف"; "Numéro de police inconnu"; "The police number is not known")
  elif .status == 500 and $fault == "MONTANT_REFUSE" then
    reason("amount-refused"; "المبلغ لا يطابق الفاتورة"; "Le montant ne correspond pas à la facture"; "The amount does not match the bill")
  elif .status == 503 and $fault == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
