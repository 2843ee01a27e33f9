#!/bin/sh
# Tries what Docs/promise/threats.md says from outside: a plain AMQP client with one house's own password and key against a real broker, ledger,
# worker and house. Prints each attempt, what was expected and what happened; exit 1 on any surprise.
# usage: Deploy/insider.sh PATH-TO-WASL
set -eu
cd "$(dirname "$0")/.."
wasl=$1
tried="the insider was"
. Deploy/participant/environment.sh
exec timeout -k 30 420 "$python" Deploy/insider/attempts.py "$wasl" "$folder"
