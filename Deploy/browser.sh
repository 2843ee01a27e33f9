#!/bin/sh
# Opens the pages in headless Chromium in three languages and holds what they show against the APIs: the ledger's overview, and an agency's
# desk as one sees it signed in.
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
"$wasl" dev --data "$data/dev" --houses 3 --rate 5 --service steg.bill.view --service cnam.claim.submit --service eid.complaint.submit \
    --service cnss.career.statement 2> "$data/dev.log" &
dev=$!
trap 'kill -INT $dev 2>/dev/null; wait $dev 2>/dev/null || true' EXIT
tries=0
until grep -q '^ready' "$data/dev.log"; do
    tries=$((tries + 1))
    if [ $tries -gt 900 ] || ! kill -0 $dev 2>/dev/null; then cat "$data/dev.log" >&2; exit 1; fi
    sleep 0.1
done
page=$(sed -n 's/^ *ledger *\(http[^?]*\).*/\1/p' "$data/dev.log")
# Chromium types no password: between it and the ledger stands a proxy that signs in once and adds the session's cookie.
cat > "$data/proxy.py" <<'PYTHON'
import http.server, sys, urllib.error, urllib.parse, urllib.request

page, password = sys.argv[1], open(sys.argv[2]).read().strip()


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_): return None


opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay)


def call(url, body=None, headers={}):
    try:
        return opener.open(urllib.request.Request(url, body, headers), timeout=20)
    except urllib.error.HTTPError as error:
        return error


form = urllib.parse.urlencode({"name": "guichet", "password": password}).encode()
foreign = call(page + "sign-in", form, {"Origin": "https://elsewhere.example"})
assert foreign.status == 403, f"a form of another site was taken: {foreign.status}"
answer = call(page + "sign-in", form, {"Origin": page.rstrip("/")})
assert answer.status == 303, f"the ledger's page takes nobody: {answer.status}"
cookie = answer.headers["Set-Cookie"].split(";")[0]


class Proxy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        # Chromium asks for hosts of its own too.
        if not self.path.startswith(page): return self.send_error(404)
        answer = call(self.path, headers={"Cookie": cookie})
        body = answer.read()
        self.send_response(answer.status)
        for name in ("Content-Type", "Content-Security-Policy"):
            if answer.headers[name]: self.send_header(name, answer.headers[name])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_): pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
print(server.server_address[1], flush=True)
server.serve_forever()
PYTHON
python3 "$data/proxy.py" "$page" "$data/dev/keys/passwords/ledger.desk" > "$data/proxy.port" &
proxy=$!
trap 'kill $proxy 2>/dev/null || true; kill -INT $dev 2>/dev/null; wait $dev 2>/dev/null || true' EXIT
tries=0
until [ -s "$data/proxy.port" ]; do
    tries=$((tries + 1))
    if [ $tries -gt 300 ] || ! kill -0 $proxy 2>/dev/null; then echo "FAILED: nobody could sign in to the ledger's page" >&2; exit 1; fi
    sleep 0.1
done
for language in ar fr en; do
    "$chromium" --headless --no-sandbox --disable-gpu --hide-scrollbars --lang=$language --user-data-dir="$data/profile-$language" \
        --window-size=1100,800 --dump-dom "$page?lang=$language" > "$data/ledger-sign-in-$language.html" 2> "$data/chromium.log"
    grep -q 'name="password" type="password"' "$data/ledger-sign-in-$language.html" || { echo "FAILED: the ledger's page asks nobody" >&2; exit 1; }
    "$chromium" --headless --no-sandbox --disable-gpu --hide-scrollbars --lang=$language --user-data-dir="$data/profile-$language" \
        --proxy-server="http://127.0.0.1:$(cat "$data/proxy.port")" --proxy-bypass-list='<-loopback>' \
        --window-size=1100,1400 --screenshot="$data/$language.png" --dump-dom "$page?lang=$language" > "$data/$language.html" 2> "$data/chromium.log"
    python3 - "$data/$language.html" "$language" "$page" "$data/dev/keys/token" <<'PYTHON'
import json, re, sys, urllib.request

text, language, page = open(sys.argv[1], encoding="utf-8").read(), sys.argv[2], sys.argv[3]
assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}"' in text, "language and direction"
titles = {"ar": "وصل: دفتر التسليم", "fr": "Wasl : registre des échanges", "en": "Wasl: the delivery ledger"}
assert titles[language] in text, "title"
figures = [int(re.sub(r"\D", "", value)) for value in re.findall(r"<dd>([^<]*)</dd>", text)]
assert len(figures) == 5, figures
token = open(sys.argv[4]).read().strip()
request = urllib.request.Request(page + "v1/overview", headers={"Authorization": f"Bearer {token}"})
overview = json.load(urllib.request.urlopen(request, timeout=20))
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

desk=$(sed -n 's/^ *desk *\(http[^?]*\).*/\1/p' "$data/dev.log")
for language in ar fr en; do
    "$chromium" --headless --no-sandbox --disable-gpu --hide-scrollbars --lang=$language --user-data-dir="$data/profile-$language" \
        --window-size=1100,800 --screenshot="$data/sign-in-$language.png" --dump-dom "$desk/sign-in?lang=$language" > "$data/sign-in-$language.html" 2> "$data/chromium.log"
done
python3 - "$data" "$desk" <<'PYTHON'
import json, re, sys, urllib.error, urllib.parse, urllib.request

data, desk = sys.argv[1], sys.argv[2]
words = {"ar": "مكتب الأعوان", "fr": "Guichet des agents", "en": "The agents&#39; desk"}
for language, title in words.items():
    text = open(f"{data}/sign-in-{language}.html", encoding="utf-8").read().replace("'", "&#39;")
    assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}"' in text and title in text, language


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_): return None


opener = urllib.request.build_opener(Stay)


def call(path, form=None, cookie=None):
    body = urllib.parse.urlencode(form).encode() if form else None
    request = urllib.request.Request(desk + path, body, {"Cookie": cookie} if cookie else {})
    try:
        answer = opener.open(request, timeout=20)
    except urllib.error.HTTPError as error:
        answer = error
    return answer.status, answer.read().decode(), answer.headers


assert call("")[0] == 303, "nobody sees the desk without signing in"
password = open(f"{data}/dev/keys/passwords/eid.desk").read().strip()
assert call("/sign-in", {"name": "guichet", "password": "not that one, surely"})[0] == 401
status, _, headers = call("/sign-in", {"name": "guichet", "password": password})
assert status == 303 and "HttpOnly" in headers["Set-Cookie"], status
cookie = headers["Set-Cookie"].split(";")[0]
token = open(f"{data}/dev/keys/token").read().strip()
for language in words:
    # What waits changes while we look: the page must say what the API said just before or just after.
    for _ in range(20):
        def waiting():
            request = urllib.request.Request(desk.removesuffix("/desk") + "/v1/jobs?state=desk", headers={"Authorization": f"Bearer {token}"})
            return len(json.load(urllib.request.urlopen(request, timeout=20))["jobs"])
        before, (status, page, _), after = waiting(), call(f"?lang={language}", cookie=cookie), waiting()
        shown = int(re.search(r"<h2>[^<(]*\((\d+)\)", page).group(1))
        if before == after: break
    assert status == 200 and shown == len(re.findall(r"/desk/requests/[a-z0-9-]+/[0-9a-f-]{36}", page)), (shown, page[:400])
    assert before != after or shown == before, (before, shown, after)
    assert f'dir="{"rtl" if language == "ar" else "ltr"}"' in page and "default-src 'none'" in call("", cookie=cookie)[2]["Content-Security-Policy"]
    print(f"the desk in {language}: {shown} waiting, as the API says")
PYTHON
