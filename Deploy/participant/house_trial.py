"""What the house of the page does with what no honest agency sends, on a journal of its own, with agencies' keys.
usage: house_trial.py FOLDER, after house_run.py has made keys and registry there"""
import hashlib, json, sqlite3, sys
from pathlib import Path
from types import SimpleNamespace

folder = Path(sys.argv[1]).resolve()
sys.path.insert(0, str(folder))
import house as program, participant as page
from joserfc import jwe
from joserfc.jwk import OKPKey

HOUSE, keys, journal = "bir-mcherga", folder / "dev-house/keys", folder / "house-trial.sqlite"
load = lambda name: json.loads((keys / f"{name}.json").read_text())
key_of = lambda name: OKPKey.import_key(load(name)["signing"])
for leftover in folder.glob("house-trial.sqlite*"):
    leftover.unlink()
registry = page.Registry(folder / "dev-house/registry.signed", OKPKey.import_key(load("root.jwk")))
house, opener = program.House(HOUSE, journal, load(HOUSE), registry), OKPKey.import_key(load(HOUSE)["opening"][0])
with house.step():
    house.open_lane("a trial")
published, last = [], {"id": 0, "aside": 0, "delivered": 0}


def count(table, where="1"):
    # Over a connection of its own, so that only what is committed counts.
    with sqlite3.connect(journal) as db:
        return db.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()[0]


def counts():
    return count("quarantine"), count("outbox", f"key = '{HOUSE}.outcome-delivered'")


def said(kind, request, by="steg", fields=None, expiry=None, **changes):
    """A message as an agency makes it."""
    last["id"] += 1
    names = {"id": f"019339a2-0000-7000-8000-{last['id']:012}", "subject": request["subject"], "recipient": HOUSE, "service": request["service"]}
    names |= {"expirytime": expiry} if expiry else {}
    message = {"specversion": "1.0", "type": f"tn.wasl.{kind}.v1", "source": f"/agencies/{by}", "time": page.stamp(), "contract": "1",
               "journal": "019339a2-0000-7000-8000-000000000000", "sequence": "0" * 19 + "1", "causationid": request["id"], "data": {}} | names
    if fields is not None:
        inside = page.encode(names | {"source": f"/agencies/{by}", "fields": fields})
        message["data"] = {"sealed": jwe.encrypt_compact(page.jwe_header(opener.thumbprint(), by, HOUSE), inside, opener, algorithms=page.SEAL)}
    message["data"] |= changes.pop("data", {})
    return message | changes


def outcome(request, by="steg", status="completed", revision=1, fields={"amount": 1}, data={}, **changes):
    return said("outcome", request, by, fields, data={"status": status, "revision": revision} | data, **changes)


def give(message, aside=0, delivered=0, what="", signer=None, route=None):
    """Hands a message over, and expects so many more set aside, and so many more outcomes said to be delivered."""
    body = message if isinstance(message, bytes) else page.encode(message)
    id = json.loads(body)["id"]
    exchange, key = route or page.route(json.loads(body))
    committed = []
    channel = SimpleNamespace(
        basic_ack=lambda tag: committed.append((tag, counts())),
        basic_publish=lambda exchange, key, body, *_, **__: published.append((key, body)))
    signature = page.sign(body, key_of(signer or json.loads(body)["source"].rsplit("/", 1)[-1]))
    house.receive(channel, SimpleNamespace(exchange=exchange, routing_key=key, delivery_tag=7),
                  SimpleNamespace(content_type=page.CONTENT_TYPE, message_id=id, headers={"wasl-signature": signature}), body)
    assert committed == [(7, counts())], f"{what}: acknowledged once, after the commit"
    expected = last["aside"] + aside, last["delivered"] + delivered
    reasons = house.db.execute("SELECT reason FROM quarantine").fetchall()
    assert counts() == expected, f"{what}: (set aside, delivered) is {counts()}, expected {expected}; {reasons[-1:]}"
    last["aside"], last["delivered"] = expected


def ordered(service, fields, papers=(), millimes=None):
    receipt, _ = house.order(service, fields, papers, millimes, days=1)
    subject = json.loads(receipt)["request"]
    body, = house.db.execute("SELECT body FROM outbox WHERE subject = ? ORDER BY number", (subject,)).fetchone()
    return json.loads(body)


def state(request):
    return house.db.execute("SELECT state, revision FROM request WHERE subject = ?", (request["subject"],)).fetchone()


# Orders: all of it or nothing.
(folder / "paper.pdf").write_bytes(b"%PDF-" + bytes(program.PIECE))
(folder / "empty.pdf").write_bytes(b"")
claim_fields = {"insured_id": "1234567890", "rib": "07040005810111129653", "care_date": "2026-11-02"}
for service, fields, papers, millimes in (
        ("steg.bill.pay", {"amount": 2}, [], 1), ("nobody.bill.view", {}, [], None), ("steg.bill.view", [], [], None),
        ("cnam.claim.submit", claim_fields, [folder / "empty.pdf"], None)):
    try:
        ordered(service, fields, papers, millimes)
    except page.Refused:
        pass
    else:
        raise AssertionError(f"{service} {fields}: taken")
assert (count("outbox"), count("request")) == (1, 0), "what is refused leaves nothing"
claim = ordered("cnam.claim.submit", claim_fields, [folder / "paper.pdf"])
assert count("outbox", f"subject = '{claim['subject']}'") == 3, "a request and two pieces"
view, other = ordered("steg.bill.view", {"reference": "1"}), ordered("steg.bill.view", {"reference": "2"})

# Whom it believes.
give(said("request.taken", view), what="taken")
assert state(view) == ("taken", 0)
give(outcome(view, by="cnss"), aside=1, what="another agency than the one that was asked")
give(outcome(view), aside=1, signer="cnss", what="another agency's signature")
give(outcome(view) | {"source": "/houses/hydra"}, aside=1, what="a house in an agency's place")
give(outcome(view, service="steg.bill.pay"), aside=1, what="another service")
give(outcome(view, contract="2"), aside=1, what="another contract")
give(outcome(view | {"subject": "019339a2-0000-7000-8000-00000000ffff"}), aside=1, what="nobody's request")
give(outcome(view, recipient="hydra"), aside=1, what="for another house")
give(outcome(view), aside=1, route=("wasl.outcomes", f"{HOUSE}.cnss.steg-bill-view"), what="another routing key")
give(outcome(view, subject=other["subject"]), aside=1, what="a seal from another envelope")
give(outcome(view, revision=0), aside=1, what="no revision")
give(outcome(view, status="done"), aside=1, what="no status")
give(said("request.submitted", view, fields={}), aside=1, what="a request")
give(said("resend", view) | {"source": "/agencies/steg"}, aside=1, what="an agency in the ledger's place")
assert state(view) == ("taken", 0), "none of them was believed"

# What it makes of it.
give(outcome(view, status="progress"), delivered=1, what="progress")
good = outcome(view, revision=2)
give(good, delivered=1, what="an outcome")
give(good, delivered=1, what="a duplicate is said to be delivered once more")
give(good | {"time": page.stamp(), "sequence": "0" * 19 + "2"}, aside=1, what="the same id with other bytes")
give(outcome(view, status="refused", revision=3), delivered=1, what="another end")
assert state(view) == ("completed", 2), "an end never changes"
give(outcome(view, revision=4), delivered=1, what="the same end, said anew")
assert state(view) == ("completed", 4)
assert state(other) == ("accepted", 0)

# Documents.
content = b"%PDF-" + bytes(program.PIECE + 7)
def certificate(request, attachment, digest):
    notice = {"attachment": attachment, "pieces": 2, "digest": "0" * 43}
    document = {"number": "1", "type": "application/pdf", "size": len(content), "digest": digest}
    whole = outcome(request, by="cnss", fields={"document": document}, data={"attachments": [notice]})
    pieces = [said("attachment.chunk", request, "cnss", {"content": page.b64(content[start:start + program.PIECE])}, causationid=whole["id"],
                   data={"attachment": attachment, "piece": number, "pieces": 2}) for number, start in ((1, 0), (2, program.PIECE))]
    return whole, *pieces


ask = lambda: ordered("cnss.affiliation.certificate", {"cin": "12345678", "social_security_number": "1234567891"})
one, two, three = ask(), ask(), ask()
attachment = "019339a2-0000-7000-8000-0000000000a1"
whole, first, second = certificate(one, attachment, hashlib.sha256(content).hexdigest())
give(second, what="a piece before its outcome")
give(whole, what="an outcome before all of its document")
give(whole, what="a duplicate of it")
assert state(one) == ("accepted", 0)
stolen, _, piece = certificate(two, attachment, hashlib.sha256(content).hexdigest())
give(stolen, aside=1, what="a document of another request")
give(piece, aside=1, what="a piece of another request's document")
give(first | {"data": first["data"] | {"piece": 3}}, aside=1, what="a piece that there cannot be")
give(first, delivered=1, what="the last piece")
give(first, what="a piece once more")
assert state(one) == ("completed", 1) and list(house.documents(whole).values()) == [content]
whole, first, second = certificate(three, "019339a2-0000-7000-8000-0000000000a2", "0" * 64)
give(first, what="a piece")
give(second, what="a piece")
give(whole, aside=1, what="a document that is not what was promised")
assert state(three) == ("accepted", 0)
assert count("inbox", f"id = '{whole['id']}'") == count("outcome", f"id = '{whole['id']}'") == 0, "what is set aside leaves nothing else"

# What the ledger asks.
control = lambda kind, **more: {name: value for name, value in (
    said(kind, view) | {"source": "/ledger"} | more).items() if name not in ("service", "contract", "causationid") and value is not None}
lane = house.db.execute("SELECT epoch, key, body FROM outbox ORDER BY number").fetchall()
published.clear()
give(control("resend"), what="asked about a subject")
assert published == [entry[1:] for entry in lane if json.loads(entry[2]).get("subject") == view["subject"]], "the same bytes, and nothing else"
published.clear()
give(control("resend", subject=None, data={"epoch": lane[0][0], "from": f"{2:020}", "through": f"{4:020}"}), what="asked for a range")
assert published == [entry[1:] for entry in lane[1:4]], "the same bytes, and nothing else"
published.clear()
give(control("checkpoint"), what="a type that this house does not know")
assert published == [] and count("outbox", "confirmed = 0") == 0
for _ in range(2):
    house.next_beat = 0
    give(control("checkpoint"), what="another, when a beat is due")
beats = [json.loads(body)["data"]["beat"] for key, body in published if key.endswith(".presence")]
assert len(beats) == 2 and beats[0] < beats[1], beats
assert count("outbox", f"key = '{HOUSE}.message-refused'") == last["aside"], "each set aside is reported once"
print(f"the house of the page: {last['aside']} bad messages set aside, {last['delivered']} outcomes believed")
