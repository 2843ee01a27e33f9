#!/bin/sh
# Holds Docs/integrate/participant.md to its word: takes its programs out of the page and lets them be the worker of `steg`, then a house, over a
# real broker, with messages lost and the programs killed in the middle. Everybody must be answered, and no finding may stay open.
# usage: Deploy/participant.sh PATH-TO-WASL
set -eu
cd "$(dirname "$0")/.."
wasl=$1
tried="the participant's page was"
. Deploy/participant/environment.sh
Deploy/participant/agency_run.sh "$wasl" "$folder" "$python"
"$python" Deploy/participant/house_run.py "$wasl" "$folder"
"$python" Deploy/participant/house_trial.py "$folder"
