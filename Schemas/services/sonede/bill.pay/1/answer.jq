def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};

(.body.Envelope.Body? // {}) as $soap
| if .status == 200 and ($soap.PayerFactureReponse.NumeroQuittance? | type) == "string" then
    {result: "completed", fields: {receipt_number: $soap.PayerFactureReponse.NumeroQuittance}}
  elif .status == 500 and $soap.Fault.faultstring? == "POLICE_INCONNUE" then
    reason("unknown-police"; "رقم الاشتراك غير معروف"; "Numéro de police inconnu"; "The police number is not known")
  elif .status == 500 and $soap.Fault.faultstring? == "MONTANT_REFUSE" then
    reason("amount-refused"; "المبلغ لا يطابق الفاتورة"; "Le montant ne correspond pas à la facture"; "The amount does not match the bill")
  elif .status == 503 and $soap.Fault.faultstring? == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
