"""The honest road beside the insider: how long an answer takes when nobody lies, and that it all reconciles in the end."""
import json
from insider import BILL
from stack import AGENCY, HOUSE, INSIDER, expect

usual = []


def begin(stack, insider):
    """Opens the insider's own lane, as any house does, and measures the honest road."""
    insider.say("journal.opened", {"epoch": insider.lane.epoch, "reason": "first start", "contract": "1.1"})
    insider.answer(insider.take_number(insider.request()).subject)
    usual[:] = sorted(stack.honest_seconds(30)[1] for _ in range(5))


def limit():
    """Three times the slowest of the quiet road, and two seconds for a machine that does something else."""
    return 3 * usual[-1] + 2


def steady(stack, insider):
    """An honest order is answered in its usual time."""
    _, seconds = stack.honest_seconds(30, busy=insider.listen)
    expect(seconds < limit(), f"an honest order took {seconds:.2f} s; without the insider {usual[-1]:.2f} s at most")
    return f"an honest order in {seconds:.2f} s (usually {usual[len(usual) // 2]:.2f})"


def honest_order_reconciles(stack, insider):
    """After all of it an honest payment is answered, and delivered by the word of its house; no finding is about it."""
    request = stack.order(BILL | {"amount": 84_500, "payment": "cash"}, "steg.bill.pay")
    insider.wait(30, "it is answered", lambda: stack.state(request) in ("completed", "refused"))

    def delivered():
        said = [json.loads(body) for body, _ in stack.evidence(HOUSE)]
        return any(entry["subject"] == request for each in said if each["type"] == "tn.wasl.outcome.delivered.v1"
                   for entry in each["data"]["outcomes"])
    insider.wait(30, "the ledger has word of its delivery", delivered)
    expect(not stack.findings(subject=request), f"{stack.findings(subject=request)}")
    return f"{stack.state(request)}, delivered, no finding"


def nobody_honest_is_named(stack, insider):
    """No finding, open or cleared, names the honest house, the agency or the ledger."""
    found = [each for who in (HOUSE, AGENCY, "ledger") for each in stack.findings(participant=who)]
    expect(not found, f"{found[:5]}")
    classes = sorted({each["class"] for each in stack.findings(participant=INSIDER)})
    return f"the insider is named for {', '.join(classes)}"


def nothing_ended(stack, insider):
    """Every process of the stack is still the one that was started."""
    log = stack.log.read_text(errors="replace")
    ended = [line for line in log.splitlines() if "has ended" in line]
    expect(not ended and stack.process.poll() is None, f"{ended}")
    return "every process is the first"


ATTEMPTS = [honest_order_reconciles, nobody_honest_is_named, nothing_ended]
