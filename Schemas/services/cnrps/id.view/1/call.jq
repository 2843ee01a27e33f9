# A read: the key only serves to trace it.
{method: "POST", path: "/guichet", body: {action: "identifiant", cle: .reference, cin: .fields.cin}}
