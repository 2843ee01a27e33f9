"""Lets the house of Docs/integrate/participant.md be one of two houses: orders with money, papers and documents, a kill, a lost message, and
in the end a lost journal. Every citizen must be answered, and the ledger must have nothing open. usage: house_run.py WASL FOLDER"""
import hashlib, json, os, re, sqlite3, subprocess, sys, time, urllib.request
from pathlib import Path

wasl, folder = sys.argv[1], Path(sys.argv[2]).resolve()
sys.path.insert(0, str(folder))
import participant as page
from joserfc.jwk import OKPKey

HOUSE, data, journal, began = "bir-mcherga", folder / "dev-house", folder / "house.sqlite", time.monotonic()
papers, downloads, logs, processes = folder / "papers", folder / "documents", [], []
FORGETFUL = """
import house, participant

publish, requests = participant.publish, 0


def publish_but_the_second_order(channel, user, exchange, *rest):
    global requests
    requests += exchange == "wasl.requests"
    if exchange != "wasl.requests" or requests != 2:
        publish(channel, user, exchange, *rest)


participant.publish = publish_but_the_second_order
house.main()
"""


class Failed(Exception):
    """What was not as it should be."""


def check(condition, what):
    if not condition:
        raise Failed(what)


def wait(seconds, what, condition):
    """Until it holds; says what it waited for where it never does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for process in processes:
            check(process.poll() is None, f"{process.args[:3]} has ended while waiting until {what}")
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise Failed(f"waited {seconds} s until {what}")


def start(name, *arguments):
    log = folder / f"{name}.log"
    if log not in logs:
        logs.append(log)
    with log.open("ab") as output:
        process = subprocess.Popen([str(each) for each in arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    processes.append(process)
    return process


def end(process, how="terminate"):
    """Ends one and gives its exit code; whoever does not end in order within 60 seconds is killed."""
    processes.remove(process)
    getattr(process, how)()
    try:
        return process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait(10)


def run(*arguments, timeout=60):
    return subprocess.run([str(each) for each in arguments], capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)


def house(*arguments, program="house.py"):
    keys = data / "keys"
    return (sys.executable, folder / program, "--house", HOUSE, "--keys", keys / f"{HOUSE}.json", "--registry", data / "registry.signed",
            "--root", keys / "root.jwk.json", "--journal", journal, *arguments)


def serve(program="house.py"):
    port = re.search(r"^broker:\n(?:  .*\n)*?  port: (\d+)", (data / f"config/{HOUSE}.yaml").read_text(), re.M)[1]
    password = data / f"keys/passwords/{HOUSE}.password"
    return start("house", *house("run", "--broker", f"127.0.0.1:{port}", "--password", password, program=program))


def order(service, fields, *more):
    """- Returns: the request's number and its receipt, which verifies."""
    result = run(*house("order", service, json.dumps(fields), *more))
    check(result.returncode == 0, f"an order of {service} was not taken: {result.stderr}")
    receipt, signature = result.stdout.splitlines()
    key = OKPKey.import_key(json.loads((data / f"keys/{HOUSE}.json").read_text())["signing"])
    page.verify(signature, receipt.encode(), "wasl-receipt", {key.thumbprint(): key}.__getitem__)
    return json.loads(receipt)["request"], json.loads(receipt)


def shown():
    result = run(*house("show", "--documents", downloads))
    check(result.returncode == 0, f"`show` failed: {result.stderr}")
    return {entry["request"]: entry for entry in map(json.loads, result.stdout.splitlines())}


def completed(*requests):
    entries = shown()
    return all(entries[request]["state"] == "completed" for request in requests) and entries


def ledger(path):
    """What the ledger answers, once it does."""
    port = json.loads((data / "ports.json").read_text())["ledger"]
    token = (data / "keys/token").read_text().strip()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def own_rows(query):
    with sqlite3.connect(f"file:{journal}?mode=ro", uri=True, timeout=10) as db:
        return db.execute(query).fetchall()


def evidence():
    """The file, and this house's own messages in it by epoch and number: exact bytes."""
    result = run(wasl, "ledger", "evidence", "--db", data / "participants/ledger/journal.sqlite", "--participant", HOUSE)
    check(result.returncode == 0, f"`wasl ledger evidence` failed: {result.stderr}")
    lanes = {}
    for line in map(json.loads, result.stdout.splitlines()[:-1]):
        envelope = json.loads(line["body"])
        if envelope["source"] == f"/houses/{HOUSE}":
            lanes.setdefault(envelope["journal"], {})[int(envelope["sequence"])] = line["body"].encode()
    return result.stdout, lanes


def whole_evidence():
    """Once the ledger has every number that the journal has given, and the broker has confirmed."""
    text, lanes = evidence()
    known = {(epoch, number) for epoch, lane in lanes.items() for number in lane}
    spoken = {(epoch, int(number)) for epoch, number in own_rows("SELECT epoch, sequence FROM outbox")}
    return spoken <= known and (text, lanes)


def live():
    dev = start("dev-house", wasl, "dev", "--data", data, "--houses", 2, "--absent", HOUSE, "--rate", 1, "--faults", 0,
                "--service", "steg.bill.view")
    wait(120, "wasl dev is ready", lambda: b"\nready:" in (folder / "dev-house.log").read_bytes())
    check(not (data / f"participants/{HOUSE}").exists(), "an absent house has a journal all the same")

    want_a_journal()
    check(run(*house("create")).returncode == 0 and run(*house("create")).returncode != 0, "a journal is made once")

    # Its first life, in which the second order is lost after it was confirmed: only the ledger can find that out and ask for it.
    (folder / "forgetful_house.py").write_text(FORGETFUL)
    speaking = serve("forgetful_house.py")
    view, receipt = order("steg.bill.view", {"reference": "123456789"})
    pay, _ = order("steg.bill.pay", {"reference": "123456789", "amount": 84_500, "payment": "cash"}, "--millimes", 84_500)
    wait(60, "the first order is completed", lambda: completed(view))
    wait(30, "the second order is taken for confirmed", lambda: own_rows(f"SELECT confirmed FROM outbox WHERE subject = '{pay}'") == [(1,)])
    end(speaking, "kill")

    # While nobody speaks, orders are taken all the same. The paper is three pieces long.
    papers.mkdir(exist_ok=True)
    (papers / "scan.pdf").write_bytes(b"%PDF-1.4\n" + os.urandom(300_000))
    claim, _ = order("cnam.claim.submit", {"insured_id": "1234567890", "rib": "07040005810111129653", "care_date": "2026-11-02"},
                     "--paper", papers / "scan.pdf", "--days", 30)
    certificate, _ = order("cnss.affiliation.certificate", {"cin": "12345678", "social_security_number": "1234567891"}, "--days", 30)
    too_much = run(*house("order", "steg.bill.pay", '{"reference": "123456789", "amount": 84500, "payment": "cash"}', "--millimes", 1))
    check(too_much.returncode != 0 and "--millimes" in too_much.stderr, "another sum than the order's was taken")
    speaking = serve()
    entries = wait(90, "all four orders are completed", lambda: completed(view, pay, claim, certificate))

    check(type(entries[view]["fields"]["amount"]) is int and entries[claim]["fields"]["case_number"], entries)
    effects = [json.loads(line) for line in (data / "effects/steg.jsonl").read_text().splitlines()]
    number = entries[pay]["fields"]["receipt_number"]
    check(sum(line.get("receipt") == number for line in effects) == 1, f"the bill was not paid exactly once: {number}")
    check(ledger(f"/v1/requests/{pay}")["millimes"] == 84_500, "the ledger knows another sum")
    document, file = entries[certificate]["fields"]["document"], Path(entries[certificate]["document"])
    check(hashlib.sha256(file.read_bytes()).hexdigest() == document["digest"] and file.read_bytes().startswith(b"%PDF-"), "the certificate")
    sent = [row for row in ledger(f"/v1/requests/{claim}")["attachments"] if row["source"] == f"/houses/{HOUSE}"]
    check([(row["pieces"], row["seen"]) for row in sent] == [(3, 3)], f"the claim's paper: {sent}")

    text, lanes = wait(60, "the ledger has all that the house said", whole_evidence)
    check(receipt["digest"] == page.digest(lanes[receipt["journal"]][int(receipt["sequence"])]), "the receipt names other bytes")
    check(own_rows("SELECT count(*) FROM quarantine") == [(0,)], own_rows("SELECT reason FROM quarantine"))
    check(end(speaking) == 0, "the house did not end in order")

    rebuild(text, entries)
    speaking = serve()
    last, _ = order("steg.bill.view", {"reference": "987654321"})
    wait(60, "the order after the rebuild is completed", lambda: completed(last))
    _, lanes = wait(60, "the ledger has all that the rebuilt house said", whole_evidence)
    check_lanes(lanes, receipt["journal"])
    wait(60, "no finding is open and every lane whole",
         lambda: not ledger("/v1/findings?state=open")["findings"] and ledger("/v1/overview")["brokenLanes"] == 0)
    for request in (view, pay, claim, certificate, last):
        check(ledger(f"/v1/requests/{request}")["delivered"], f"{request}: not delivered, says the ledger")
    classes = {finding["class"] for finding in ledger("/v1/findings?state=all")["findings"] if finding["participant"] == HOUSE}
    # A slow machine may open `silent-participant` for a moment; nothing else has a place here.
    check("gap" in classes and classes <= {"gap", "silent-participant"}, f"findings about the house: {classes}, expected a gap that closed")
    check(end(speaking) == 0 and end(dev) == 0, "the house or the stack did not end in order")


def want_a_journal():
    """Nothing begins from nothing: a lost journal would be forgotten."""
    for command in (house("order", "steg.bill.view", '{"reference": "123456789"}'), house("show"),
                    house("run", "--broker", "127.0.0.1:1", "--password", data / f"keys/passwords/{HOUSE}.password")):
        refused = run(*command)
        check(refused.returncode != 0 and "no journal" in refused.stderr and not journal.exists(), f"{command[-1]} made a journal")


def rebuild(text, before):
    """The disk is lost. What the ledger has of the house makes it anew; a torn file of it makes nothing."""
    for file in folder.glob("house.sqlite*"):
        file.unlink()
    want_a_journal()
    file, whole = folder / "house.evidence", text.splitlines(keepends=True)
    command = house("rebuild", "--evidence", file, "--reason", "the disk was lost for a try")
    for torn, name in ((whole[:-1], "without its count"), (whole[1:], "without its first line"),
                       ([whole[0].replace("journal.opened", "journal.opener"), *whole[1:]], "with another word")):
        file.write_text("".join(torn))
        check(run(*command).returncode != 0 and not journal.exists(), f"evidence {name} made a journal")
    file.write_text(text)
    result = run(*command)
    check(result.returncode == 0, f"the journal was not rebuilt: {result.stderr}")
    check(run(*command).returncode != 0, "a journal was rebuilt over another")
    check(shown() == before, "the rebuilt journal tells another story")


def check_lanes(lanes, first):
    """Two epochs without a gap, and the second says where the first ended."""
    check(len(lanes) == 2 and first in lanes, f"{len(lanes)} epochs")
    for epoch, lane in lanes.items():
        check(sorted(lane) == list(range(1, len(lane) + 1)), f"{epoch} has a gap")
        for number in range(2, len(lane) + 1):
            check(json.loads(lane[number])["chain"] == page.digest(lane[number - 1]), f"{epoch}: the chain at {number}")
    second = next(epoch for epoch in lanes if epoch != first)
    opened, last = json.loads(lanes[second][1]), len(lanes[first])
    expected = {"epoch": second, "reason": "the disk was lost for a try", "previous": first, "previoussequence": f"{last:020}",
                "previoushash": page.digest(lanes[first][last])}
    check(opened["type"] == "tn.wasl.journal.opened.v1" and opened["data"] == expected, f"the second epoch begins with {opened}")


def main():
    subprocess.run(["rm", "-rf", data, downloads, papers, *folder.glob("house.sqlite*"), *folder.glob("*house.log")], check=True)
    downloads.mkdir()
    try:
        live()
    except Exception as error:
        for log in logs:
            print(f"--- the end of {log}", *log.read_text(errors="replace").splitlines()[-25:], sep="\n", file=sys.stderr)
        if journal.exists():
            print("--- its orders", *own_rows("SELECT service, state FROM request"), sep="\n", file=sys.stderr)
        print("FAILED: the house of the page:", error if isinstance(error, Failed) else repr(error), file=sys.stderr)
        sys.exit(1)
    finally:
        for process in reversed(processes[:]):
            end(process)
    print("the house of the page: 5 of 5 answered, killed once, one message lost and asked for, the journal lost and rebuilt; "
          f"no finding open, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
