# A payment is listed under our reference once it is done; an empty list says that it is not done yet.
# What the list says of the bill and the amount is held against the order.
def reason(code; ar; fr; en): {result: "refused", reason: {code: code, ar: ar, fr: fr, en: en}};
def object: if type == "object" then . else {} end;

(.body | object) as $body
| if .phase == "lookup" then
    if .status == 200 and ($body.paiements | type) == "array" then
      if ($body.paiements | length) > 0 then
        $body.paiements[0] | object
        | {result: "completed", fields: {receipt_number: .numero_quittance},
           order: {reference: .reference_facture, amount: .montant_millimes}}
      else
        {result: "absent"}
      end
    else
      {result: "doubt", why: "lookup status \(.status)"}
    end
  elif .status == 201 and ($body.numero_quittance | type) == "string" then
    {result: "completed", fields: {receipt_number: $body.numero_quittance}}
  elif .status == 422 and $body.erreur == "MONTANT_REFUSE" then
    reason("amount-refused"; "المبلغ لا يطابق الفاتورة"; "Le montant ne correspond pas à la facture"; "The amount does not match the bill")
  elif .status == 422 and $body.erreur == "REFERENCE_INCONNUE" then
    reason("unknown-reference"; "المرجع غير معروف لدى الشركة"; "Référence inconnue de la STEG"; "The company does not know this reference")
  elif .status == 503 and $body.erreur == "MAINTENANCE" then
    {result: "definite-no", why: "maintenance", after: 5}
  else
    {result: "doubt", why: "status \(.status)"}
  end
