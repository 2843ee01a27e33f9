#!/bin/sh
# Opens the ledger's page in headless Chromium in three languages and holds its figures against the ledger's API.
# usage: Deploy/browser.sh PATH-TO-WASL
set -eu
cd "$(dirname "$0")/.."
wasl=$1
chromium=$(command -v chromium || command -v chromium-browser || true)
if [ -z "$chromium" ]; then
    if [ "${CI:-}" = true ]; then echo "FAILED: no chromium; Deploy/setup.sh --check installs it" >&2; exit 1; fi
    echo "SKIPPED: the pages were not opened, there is no chromium here (Deploy/setup.sh --check installs it)"
    exit 0
fi
data=.build/browser
rm -rf "$data"
mkdir -p "$data"
"$wasl" dev --data "$data/dev" --houses 3 --rate 5 2> "$data/dev.log" &
dev=$!
trap 'kill -INT $dev 2>/dev/null; wait $dev 2>/dev/null || true' EXIT
tries=0
until grep -q '^ready' "$data/dev.log"; do
    tries=$((tries + 1))
    if [ $tries -gt 900 ] || ! kill -0 $dev 2>/dev/null; then cat "$data/dev.log" >&2; exit 1; fi
    sleep 0.1
done
page=$(sed -n 's/^ *ledger *\(http[^?]*\).*/\1/p' "$data/dev.log")
for language in ar fr en; do
    "$chromium" --headless --no-sandbox --disable-gpu --hide-scrollbars --lang=$language --user-data-dir="$data/profile-$language" \
        --window-size=1100,1400 --screenshot="$data/$language.png" --dump-dom "$page?lang=$language" > "$data/$language.html" 2> "$data/chromium.log"
    python3 - "$data/$language.html" "$language" "$page" <<'PYTHON'
import json, re, sys, urllib.request

text, language, page = open(sys.argv[1], encoding="utf-8").read(), sys.argv[2], sys.argv[3]
assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}"' in text, "language and direction"
titles = {"ar": "وصل: دفتر التسليم", "fr": "Wasl : registre des échanges", "en": "Wasl: the delivery ledger"}
assert titles[language] in text, "title"
figures = [int(re.sub(r"\D", "", value)) for value in re.findall(r"<dd>([^<]*)</dd>", text)]
assert len(figures) == 5, figures
overview = json.load(urllib.request.urlopen(page + "v1/overview"))
# The API was asked after the page: its figures can only have grown.
assert 0 <= figures[0] <= overview["submitted"], (figures, overview["submitted"])
assert figures[1] <= overview["terminal"] and figures[2] <= overview["delivered"], (figures, overview)
assert figures[2] <= figures[1] <= figures[0], figures
assert figures[3] <= overview["attachments"]["whole"] <= overview["attachments"]["named"], (figures, overview)
for name in ("Haïdra",) if language != "ar" else ("حيدرة",):
    assert name in text, name
print(f"the page in {language}: {figures[0]} sent, {figures[1]} concluded, {figures[2]} delivered, {figures[3]} documents, {figures[4]} findings")
PYTHON
done
