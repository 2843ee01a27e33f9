#!/bin/sh
# Lets the agency of Docs/integrate/participant.md be the worker of `steg` for two houses and 40 requests.
# usage: agency_run.sh PATH-TO-WASL FOLDER-OF-THE-PROGRAMS PYTHON
set -eu
wasl=$1
folder=$2
python=$3
data=$folder/dev
began=$(date +%s)

rm -rf "$data" "$folder"/journal.sqlite* "$folder"/trial.sqlite* "$folder"/*.log
: > "$folder/dev.log"
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
set -- --broker "127.0.0.1:$(sed -n '/^broker:/,$s/^  port: //p' "$data/config/hydra.yaml")" \
    --password "$data/keys/passwords/steg.password" --keys "$data/keys/steg.json" --registry "$data/registry.signed" \
    --root "$data/keys/root.jwk.json" --journal "$folder/journal.sqlite"

# Its first life, in which one outcome is lost after it was confirmed: only the ledger can find that out and ask for it.
cat > "$folder/forgetful.py" <<'PYTHON'
import agency, participant

publish, outcomes = participant.publish, 0


def publish_but_the_fifth(channel, user, exchange, *rest):
    global outcomes
    outcomes += exchange == "wasl.outcomes"
    if exchange != "wasl.outcomes" or outcomes != 5:
        publish(channel, user, exchange, *rest)


participant.publish = publish_but_the_fifth
agency.main()
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
"$python" "$folder/agency.py" "$@" 2>> "$folder/worker.log" &
worker=$!

if ! wait $dev; then dev=; cat "$folder/dev.log" "$folder/worker.log" "$folder/report.json" >&2; exit 1; fi
dev=
kill -TERM $worker
wait $worker || { echo "FAILED: the participant did not end in order" >&2; exit 1; }
worker=
exec "$python" "$(dirname "$0")/agency_trial.py" "$folder" "$taken" "$began"
