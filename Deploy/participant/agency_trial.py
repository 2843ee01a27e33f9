"""What the agency's journal says after the run, and what it does with what no honest house sends. usage: agency_trial.py FOLDER TAKEN BEGAN"""
import json, sqlite3, sys, time
from pathlib import Path
from types import SimpleNamespace

folder, taken, began = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
sys.path.insert(0, str(folder))
import agency, participant as page
from joserfc import jwe
from joserfc.jwk import OKPKey

report = json.loads((folder / "report.json").read_text())
assert report["completed"] == 40 and report["lost"] == report["openFindings"] == 0, report

# What its journal says: every request once, one outcome each, a lane without a gap, and the ledger's question for the lost one.
db = sqlite3.connect(folder / "journal.sqlite")
rows = db.execute("SELECT subject, exchange, body, epoch, sequence, confirmed FROM outbox ORDER BY number").fetchall()
outcomes = [row[0] for row in rows if row[1] == "wasl.outcomes"]
requests = [row[0] for row in db.execute("SELECT subject FROM inbox WHERE subject IS NOT NULL")]
assert len(outcomes) == 40 and sorted(outcomes) == sorted(requests), (len(outcomes), len(requests))
assert len({row[3] for row in rows}) == 1 and [int(row[4]) for row in rows] == list(range(1, len(rows) + 1)), "the lane"
for before, row in zip(rows, rows[1:]):
    assert json.loads(row[2])["chain"] == page.digest(before[2]), "the chain"
assert all(row[5] for row in rows), "something was never confirmed"
asked, = db.execute("SELECT count(*) FROM inbox WHERE source = '/ledger'").fetchone()
assert asked >= 1, "nobody asked for the lost message"
assert db.execute("SELECT count(*) FROM quarantine").fetchone() == (0,), "something was set aside"

# What it does with what no honest house sends, on a journal of its own, with a house's keys.
keys = folder / "dev/keys"
load = lambda path: json.loads(path.read_text())
root, own, house = OKPKey.import_key(load(keys / "root.jwk.json")), load(keys / "steg.json"), load(keys / "hydra.json")
opener, sender = OKPKey.import_key(own["opening"][0]), OKPKey.import_key(house["signing"])
ledger, published = OKPKey.import_key(load(keys / "ledger.json")["signing"]), []
registry = page.Registry(folder / "dev/registry.signed", root)
worker = agency.Worker("steg", folder / "trial.sqlite", own, registry)
with worker.step():
    worker.open_lane("a trial")


def count(table, where="1"):
    # Over a connection of its own, so that only what is committed counts.
    trial = sqlite3.connect(folder / "trial.sqlite")
    return trial.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()[0]


def counts():
    return count("inbox"), count("outbox", "exchange = 'wasl.outcomes'"), count("quarantine")


def request(number, id, expiry="2999-01-01T00:00:00.000Z", **changes):
    names = {"id": id, "subject": f"019339a2-0000-7000-8000-00000000000{number}", "source": "/houses/hydra", "recipient": "steg",
             "service": "steg.bill.view", "expirytime": expiry}
    text = jwe.encrypt_compact(page.jwe_header(opener.thumbprint(), "hydra", "steg"),
                               page.encode(names | {"fields": {"reference": "123456789"}}), opener, algorithms=page.SEAL)
    return page.encode({"specversion": "1.0", "type": "tn.wasl.request.submitted.v1", "time": page.stamp(), "contract": "1",
                        "journal": "019339a2-0000-7000-8000-000000000000", "sequence": "0" * 19 + "1", "data": {"sealed": text}} | names | changes)


def give(body, id, signed=None, key="steg.steg-bill-view.hydra", content_type=page.CONTENT_TYPE, exchange="wasl.requests", sender=sender):
    committed = []
    channel = SimpleNamespace(
        basic_ack=lambda tag: committed.append((tag, *counts())), basic_publish=lambda _, key, body, *__, **___: published.append((key, body)))
    headers = {"wasl-signature": page.sign(signed or body, sender)}
    worker.receive(channel, SimpleNamespace(exchange=exchange, routing_key=key, delivery_tag=7),
                   SimpleNamespace(content_type=content_type, message_id=id, headers=headers), body)
    assert committed == [(7, *counts())], "acknowledged once, after the commit"
    return counts()


first = request(1, "a")
assert give(first, "a") == (1, 1, 0), "a good one"
assert give(first, "a") == (1, 1, 0), "a duplicate"
assert give(request(2, "b"), "b", signed=first) == (1, 1, 1), "another's signature"
assert give(request(1, "a"), "a") == (1, 1, 2), "the same id with other bytes"
assert give(request(1, "c"), "c") == (1, 1, 3), "the same subject by another id"
assert give(request(3, "d", source="/houses/bir-mcherga"), "d", key="steg.steg-bill-view.bir-mcherga") == (1, 1, 4), "another house's name"
assert give(request(3, "e", expirytime="2999-01-02T00:00:00.000Z"), "e") == (1, 1, 5), "a seal from another envelope"
assert give(request(3, "f"), "f", key="steg.steg-bill-view.bir-mcherga") == (1, 1, 6), "another routing key"
assert give(request(3, "g"), "h") == (1, 1, 7), "another message id"
assert give(request(3, "i"), "i", content_type="application/json") == (1, 1, 8), "another content type"
assert give(request(3, "j")[:-1] + b',"id":"j"}', "j") == (1, 1, 9), "a key twice"
assert give(b"[" * 100_000, "k") == (1, 1, 10), "no object"
assert give(b"[" * 100_000, "k") == (1, 1, 10), "the same again"
assert count("outbox", "key = 'steg.message-refused'") == 10, "each set aside is reported once"
assert give(request(3, "l", expiry="2020-01-01T00:00:00.000Z"), "l") == (2, 2, 10), "a late one"
data = json.loads(worker.db.execute("SELECT body FROM outbox ORDER BY number DESC").fetchone()[0])["data"]
assert data == {"status": "expired", "revision": 1}, data
said = [entry for entry in published if entry[0] == "hydra.steg.steg-bill-view"]
resend = page.encode({"specversion": "1.0", "id": "m", "type": "tn.wasl.resend.v1", "source": "/ledger", "time": page.stamp(), "recipient": "steg",
                      "journal": "019339a2-0000-7000-8000-000000000000", "sequence": "0" * 19 + "1",
                      "subject": "019339a2-0000-7000-8000-000000000001", "data": {}})
published.clear()
assert give(resend, "m", key="steg.resend", exchange="wasl.control", sender=ledger) == (3, 2, 10), "asked about a subject"
assert len(said) == 2 and published == said[:1], "the same bytes once more, and nothing else"
print(f"the agency of the page: 40 of 40 answered, killed at {taken}, one message lost and asked for {asked} time(s), "
      f"10 bad ones set aside; no finding open, {time.time() - began:.0f} s")
