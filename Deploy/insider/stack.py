"""The stack that is tried, as its operators see it: processes, the ledger's findings, what was set aside, the agency's own log."""
import base64, hashlib, json, re, subprocess, time, urllib.error, urllib.request, uuid
from pathlib import Path

HOUSE, INSIDER, AGENCY, OTHER_AGENCY = "hydra", "kerker", "steg", "tt"


class Surprise(Exception):
    """What is not as it should be."""


def expect(condition, what):
    if not condition:
        raise Surprise(what)


def first_column(file, until=None):
    names = [line.split(",")[0] for line in Path(file).read_text().splitlines()[1:]]
    return names[:names.index(until) + 1] if until else names


def reference(house, subject):
    """What the contract says that an agency is given (section 8)."""
    digest = hashlib.sha256(b"".join(bytes([len(text)]) + text.encode() for text in (house, subject))).digest()
    return base64.b32encode(digest).decode()[:26]


class Stack:
    """Broker, ledger, one agency with a simulated system behind it, one house; everybody else is absent."""

    def __init__(self, wasl, data):
        self.wasl, self.data, self.log = wasl, data, data.with_suffix(".log")
        subprocess.run(["rm", "-rf", data], check=True)
        houses = first_column("Schemas/facts/houses.csv", until=INSIDER)
        absent = [each for each in houses + first_column("Schemas/facts/agencies.csv") if each not in (HOUSE, AGENCY)]
        command = [wasl, "dev", "--data", data, "--houses", len(houses), "--faults", 0, "--rate", 1, "--service", "steg.bill.view"]
        command += [word for each in absent for word in ("--absent", each)]
        with self.log.open("wb") as output:
            self.process = subprocess.Popen([str(each) for each in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        end = time.monotonic() + 120
        while b"\nready:" not in self.log.read_bytes():
            expect(self.process.poll() is None and time.monotonic() < end, f"`wasl dev` was not ready within 120 s; see {self.log}")
            time.sleep(0.1)
        self.ports = json.loads((data / "ports.json").read_text())
        self.token = (data / "keys/token").read_text().strip()
        self.broker_port = int(re.search(r"^broker:\n(?:  .*\n)*?  port: (\d+)", (data / f"config/{INSIDER}.yaml").read_text(), re.M)[1])

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def http(self, participant, path, body=None):
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json", "idempotency-key": str(uuid.uuid4())}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports[participant]}{path}", headers=headers, data=body and json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    # What operators see.

    def findings(self, **members):
        """Open and cleared ones with just these members."""
        found, after = [], 0
        while after is not None:
            page = self.http("ledger", f"/v1/findings?state=all&limit=1000&after={after}")
            found, after = found + page["findings"], page["next"]
        return [each for each in found if all(each[name] == value for name, value in members.items())]

    def set_aside(self, participant):
        """Reasons by the `message_id` that came with the message."""
        return {row["messageId"]: row["reason"] for row in self.http(participant, "/v1/quarantine")["quarantine"]}

    def seen(self, participant):
        return {row["id"]: row["seen"] for row in self.http("ledger", "/v1/overview")["participants"]}.get(participant)

    def calls(self, house, subject):
        """What the agency's own system was asked for a request: lines of its log."""
        lines = [json.loads(line) for line in (self.data / f"effects/{AGENCY}.jsonl").read_text().splitlines()]
        return [line for line in lines if line["reference"] == reference(house, subject)]

    def evidence(self, participant):
        """Every message by and to it that the ledger keeps, with its signature."""
        command = [self.wasl, "ledger", "evidence", "--db", self.data / "participants/ledger/journal.sqlite", "--participant", participant]
        *lines, _ = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.splitlines()
        return [(line["body"].encode(), line["signature"]) for line in map(json.loads, lines) if not line["setaside"]]

    # The honest road.

    def order(self, fields, service="steg.bill.view"):
        return self.http(HOUSE, "/v1/requests", {"service": service, "fields": fields})["id"]

    def state(self, request):
        return self.http(HOUSE, f"/v1/requests/{request}")["state"]

    def honest_seconds(self, seconds_max, busy=lambda: None):
        """Places an order at the honest house. Returns its number and how long until it was answered."""
        began = time.monotonic()
        request = self.order({"reference": "123456789"})
        while self.state(request) in ("accepted", "taken"):
            expect(time.monotonic() - began < seconds_max, f"an honest order was not answered within {seconds_max} s")
            busy()
            time.sleep(0.02)
        return request, time.monotonic() - began

    def management_port(self):
        text = "\n".join(file.read_text() for file in (self.data / "broker").glob("*.conf"))
        return int(re.search(r"^management\.tcp\.port\s*=\s*(\d+)", text, re.M)[1])
