"""Words that are well formed and truly signed, and not the insider's to say."""
import json
import participant as page
from insider import BILL, Insider
from stack import AGENCY, HOUSE, INSIDER, OTHER_AGENCY, expect, reference

PAY = BILL | {"amount": 84_500, "payment": "cash"}


def another_citizens_number(stack, insider):
    """A payment under a number of the other house's: two requests with two references, each answered to its own house; the collision is named
    and nobody is blamed."""
    honest = stack.order(PAY, "steg.bill.pay")
    ours = insider.take_number(insider.request(subject=honest, service="steg.bill.pay", fields=PAY))
    answer = insider.answer(honest)
    expect(answer["causationid"] == ours.id and answer["recipient"] == INSIDER, f"not the answer to ours: {answer}")
    insider.opened(answer)
    insider.wait(30, "the honest payment is answered", lambda: stack.state(honest) == "completed")
    effects = {house: [line for line in stack.calls(house, honest) if line.get("receipt")] for house in (HOUSE, INSIDER)}
    expect(len(effects[HOUSE]) == 1 and len(effects[INSIDER]) == (answer["data"]["status"] == "completed"), f"effects: {effects}")
    finding, = insider.named(stack, "subject-collision", participant=None, subject=honest)
    return (f"references {reference(HOUSE, honest)} and {reference(INSIDER, honest)}, "
            f"receipts {[line['receipt'] for lines in effects.values() for line in lines]}; {finding['evidence']['houses']}")


def second_request_under_own_number(stack, insider):
    """A second, different request under its own number: the worker sets it aside, the ledger names the house, one effect."""
    first = insider.take_number(insider.request(service="steg.bill.pay", fields=PAY))
    insider.answer(first.subject)
    second = insider.take_number(insider.request(subject=first.subject, service="steg.bill.pay", fields=PAY | {"amount": 1}))
    insider.wait(20, "the worker sets it aside", lambda: second.id in stack.set_aside(AGENCY))
    insider.named(stack, "contradicting-requests", subject=first.subject)
    expect(len(insider.answers(first.subject)) == 1, "it was answered twice")
    expect(len({line["receipt"] for line in stack.calls(INSIDER, first.subject) if line.get("receipt")}) == 1, "not one effect")
    return stack.set_aside(AGENCY)[second.id]


def own_messages_again(stack, insider):
    """The very bytes of its own payment five times more: one effect, one answer."""
    message = insider.take_number(insider.request(service="steg.bill.pay", fields=PAY))
    insider.answer(message.subject)
    for _ in range(5):
        insider.publish(message)
    insider.answer(insider.take_number(insider.request()).subject)
    receipts = [line["receipt"] for line in stack.calls(INSIDER, message.subject) if line.get("receipt")]
    expect(len(receipts) == 1 and len(insider.answers(message.subject)) == 1, f"effects {receipts}")
    return f"one effect ({receipts[0]}), one answer"


def captured_messages(stack, insider):
    """All that the honest house and the agency have said so far, captured on the way, by the insider's own keys: the agency's system is not asked
    again, no answer comes, and no finding names whoever signed them."""
    captured = [each for who in (HOUSE, AGENCY) for each in stack.evidence(who)]
    captured = [(page.parse(body), body, signature) for body, signature in captured]
    captured = [each for each in captured if each[0]["source"] in (f"/houses/{HOUSE}", f"/agencies/{AGENCY}")][-150:]
    before = len((stack.data / f"effects/{AGENCY}.jsonl").read_text().splitlines())
    template, kinds = insider.request(), set()
    for envelope, body, signature in captured:
        kinds.add(page.kind_of(envelope))
        message = template.altered({"message_id": envelope["id"]}, body=body, signature=signature)
        insider.publish(message.altered(routing_key=f"steg.{envelope.get('service', 'x').replace('.', '-')}.{INSIDER}"))
        insider.publish(message.altered(exchange="wasl.receipts", routing_key=f"{INSIDER}.{page.kind_of(envelope).replace('.', '-')}"))
    insider.answer(insider.take_number(insider.request()).subject)
    subjects = {envelope.get("subject") for envelope, *_ in captured}
    references = [reference(HOUSE, subject) for subject in subjects if subject]
    again = [json.loads(line) for line in (stack.data / f"effects/{AGENCY}.jsonl").read_text().splitlines()[before:]]
    expect(not [line for line in again if line["reference"] in references], "the agency's system was asked again")
    return f"{2 * len(captured)} deliveries of {', '.join(sorted(kinds))}: no call, no answer"


def delivered_for_another(stack, insider):
    """`outcome.delivered` for the other house's outcome: named as `foreign-word`, and the honest request is as it was."""
    honest, _ = stack.honest_seconds(30)
    outcome = insider.wait(20, "the ledger has the outcome", lambda: [
        envelope for envelope in (page.parse(body) for body, _ in stack.evidence(AGENCY))
        if envelope.get("subject") == honest and page.kind_of(envelope) == "outcome"])[0]
    insider.say("outcome.delivered", {"outcomes": [{"id": outcome["id"], "subject": honest}]})
    finding = insider.named(stack, "foreign-word", subject=honest)[0]
    return json.dumps(finding["evidence"])


def answers_by_a_house(stack, insider):
    """A house that says `outcome`, `request.taken`, `attempt.intended` or a control command of another's request: set aside by the ledger, and
    it reaches nobody."""
    honest, messages = stack.order(BILL), []
    for kind, data in (("outcome", {"status": "refused", "revision": 9}), ("request.taken", {}), ("attempt.intended", {"attempt": 1})):
        message = insider.draft(kind, data, {"subject": honest, "recipient": HOUSE, "service": "steg.bill.view", "contract": "1"})
        messages.append(message.altered(exchange="wasl.receipts", routing_key=f"{INSIDER}.{kind.replace('.', '-')}"))
    messages.append(insider.draft("resend", {}, {"subject": honest, "recipient": HOUSE}).altered(
        exchange="wasl.receipts", routing_key=f"{INSIDER}.resend"))
    for message in messages:
        insider.publish(message)
    insider.wait(20, "the ledger sets all aside", lambda: all(each.id in stack.set_aside("ledger") for each in messages))
    insider.wait(30, "the honest order is answered", lambda: stack.state(honest) == "completed")
    return "; ".join(stack.set_aside("ledger")[each.id] for each in messages)


def answers_by_another_agency(stack, insider):
    """Another agency's key and user that take, announce and refuse the honest house's request to the first: named as `foreign-word`, the house
    believes nothing, and the request is as it was."""
    agency = Insider(stack, OTHER_AGENCY, "agency")
    agency.say("journal.opened", {"epoch": agency.lane.epoch, "reason": "first start", "contract": "1.1"})
    honest, _ = stack.honest_seconds(30, busy=insider.listen)
    about = {"subject": honest, "recipient": HOUSE, "service": "tt.bill.view", "contract": "1"}
    agency.say("request.taken", {}, about)
    agency.say("attempt.intended", {"attempt": 1, "house": HOUSE}, {"subject": honest})
    refusal = agency.say("outcome", {"status": "refused", "revision": 9}, about)
    finding = agency.named(stack, "foreign-word", subject=honest)[0]
    insider.wait(20, "the house sets it aside", lambda: refusal.id in stack.set_aside(HOUSE))
    expect(stack.state(honest) == "completed", f"the house says {stack.state(honest)}")
    expect(not stack.findings(subject=honest, participant=AGENCY), "the agency that was asked is named")
    agency.connection.close()
    return f"{json.dumps(finding['evidence'])}; {stack.set_aside(HOUSE)[refusal.id]}"


def own_mail_again(stack, insider):
    """What the insider itself was sent, the ledger's commands and the agency's outcomes, put before the ledger by its own keys: set aside or
    known, and no finding names whoever signed it."""
    insider.publish(insider.presence(sequence=f"{insider.lane.sequence + 1:020}"))
    insider.wait(60, "the ledger asks the insider for something", lambda: [
        each for each in insider.inbox if each[3]["source"] == "/ledger"])
    ours = [each for each in insider.inbox if each[3]["source"] == "/ledger"][:5] + [
        each for each in insider.inbox if each[3]["source"] == f"/agencies/{AGENCY}"][-5:]
    template = insider.request()
    for _, properties, body, envelope in ours:
        message = template.altered({"message_id": envelope["id"]}, body=body, signature=properties.headers["wasl-signature"])
        insider.publish(message.altered(exchange="wasl.receipts", routing_key=f"{INSIDER}.outcome-delivered"))
        insider.publish(message)
    insider.answer(insider.take_number(insider.request()).subject)
    blamed = stack.findings(participant="ledger") + stack.findings(participant=AGENCY, **{"class": "refused-message"})
    expect(not blamed, f"{blamed}")
    return f"{len(ours)} messages, {len({page.kind_of(each[3]) for each in ours})} types; nobody is blamed"


ATTEMPTS = [another_citizens_number, second_request_under_own_number, own_messages_again, captured_messages, delivered_for_another,
            answers_by_a_house, answers_by_another_agency, own_mail_again]
