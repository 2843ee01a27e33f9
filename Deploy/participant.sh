#!/bin/sh
# Holds Docs/integrate/participant.md to its word: takes the program out of the page and lets it be the worker of `steg`, over a real broker,
# with a message lost and the program killed in the middle. Everybody must be answered, and no finding may stay open.
# usage: Deploy/participant.sh PATH-TO-WASL
set -eu
cd "$(dirname "$0")/.."
wasl=$1
page=Docs/integrate/participant.md
folder=.build/participant
data=$folder/dev
began=$(date +%s)

skip() {
    if [ "${CI:-}" = true ]; then echo "FAILED: $1; Deploy/setup.sh --check installs python3-venv" >&2; exit 1; fi
    echo "SKIPPED: the participant's page was not tried, $1 (Deploy/setup.sh --check installs python3-venv)"
    exit 0
}

command -v python3 > /dev/null || skip "there is no python3 here"
mkdir -p "$folder"
# The page names the versions; an environment of an earlier run with just these is kept.
pins=$(grep -o '[a-z][a-z]*==[0-9][0-9.]*' "$page" | sort)
python=$folder/venv/bin/python
if ! [ -x "$python" ] || [ "$pins" != "$(cat "$folder/pins" 2>/dev/null)" ]; then
    rm -rf "$folder/venv" "$folder/pins"
    # shellcheck disable=SC2086
    if python3 -m venv "$folder/venv" > "$folder/venv.log" 2>&1 && "$python" -m pip install -q $pins >> "$folder/venv.log" 2>&1; then
        echo "$pins" > "$folder/pins"
    elif python3 -c 'import pika, joserfc' 2>/dev/null; then
        python=python3
    else
        skip "no environment with pika and joserfc could be made (see $folder/venv.log)"
    fi
fi

rm -rf "$data" "$folder"/journal.sqlite* "$folder"/trial.sqlite* "$folder"/*.log
: > "$folder/dev.log"
awk '/^```python$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$page" > "$folder/participant.py"
"$wasl" dev --data "$data" --houses 2 --service steg.bill.view --absent steg --requests 40 --rate 10 --until-reconciled --patience 120 --json \
    > "$folder/report.json" 2> "$folder/dev.log" &
dev=$!
worker=
trap 'for process in $worker; do kill -KILL $process 2>/dev/null || true; done
    for process in $dev; do kill -INT $process 2>/dev/null || true; done; wait' EXIT

tries=0
until grep -q '^ready' "$folder/dev.log"; do
    tries=$((tries + 1))
    if [ $tries -gt 900 ] || ! kill -0 $dev 2>/dev/null; then cat "$folder/dev.log" >&2; exit 1; fi
    sleep 0.1
done
set -- --broker "127.0.0.1:$(sed -n 's/^  port: //p' "$data/config/hydra.yaml" | head -n 1)" \
    --password "$data/keys/passwords/steg.password" --keys "$data/keys/steg.json" --registry "$data/registry.signed" \
    --root "$data/keys/root.jwk.json" --journal "$folder/journal.sqlite"

# Its first life, in which one outcome is lost after it was confirmed: only the ledger can find that out and ask for it.
cat > "$folder/forgetful.py" <<'PYTHON'
import participant

publish, outcomes = participant.publish, 0


def publish_but_the_fifth(channel, exchange, *rest):
    global outcomes
    outcomes += exchange == "wasl.outcomes"
    if exchange != "wasl.outcomes" or outcomes != 5:
        publish(channel, exchange, *rest)


participant.publish = publish_but_the_fifth
participant.main()
PYTHON
"$python" "$folder/forgetful.py" "$@" 2> "$folder/worker.log" &
worker=$!
taken=$("$python" - "$folder/journal.sqlite" <<'PYTHON'
import sqlite3, sys, time

for _ in range(3000):
    try:
        taken, = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True).execute("SELECT count(subject) FROM inbox").fetchone()
    except sqlite3.OperationalError:
        taken = 0
    if taken >= 15:
        print(taken)
        break
    time.sleep(0.01)
else:
    sys.exit("the participant takes nothing")
PYTHON
) || { cat "$folder/worker.log" >&2; exit 1; }
kill -KILL $worker
wait $worker 2>/dev/null || true
worker=
"$python" "$folder/participant.py" "$@" 2>> "$folder/worker.log" &
worker=$!

if ! wait $dev; then dev=; cat "$folder/dev.log" "$folder/worker.log" "$folder/report.json" >&2; exit 1; fi
dev=
kill -TERM $worker
wait $worker || { echo "FAILED: the participant did not end in order" >&2; exit 1; }
worker=
"$python" - "$folder" "$taken" "$began" <<'PYTHON'
import base64, json, sqlite3, sys, time
from pathlib import Path
from types import SimpleNamespace

folder, taken, began = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
sys.path.insert(0, str(folder))
import participant as page
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
worker = page.Worker(folder / "trial.sqlite", OKPKey.import_key(own["signing"]), {opener.thumbprint(): opener}, registry)


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
print(f"the participant of the page: 40 of 40 answered, killed at {taken}, one message lost and asked for {asked} time(s), "
      f"10 bad ones set aside; no finding open, {time.time() - began:.0f} s")
PYTHON
