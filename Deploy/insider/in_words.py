"""What is well formed and truly signed, and not the insider's to say."""
import json, uuid
from datetime import timedelta
import participant as page
from honest import steady
from insider import BILL, Lane, page_uuid7
from stack import AGENCY, HOUSE, INSIDER, Surprise, expect, reference

PAY = {"reference": "123456789", "amount": 84_500, "payment": "cash"}


def named(stack, insider, kind, seconds=30, **members):
    """Waits for a finding of that class that names the insider, or whom `members` says."""
    members = {"class": kind, "participant": INSIDER} | members
    return insider.wait(seconds, f"a finding {members}", lambda: stack.findings(**members))


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
    finding, = named(stack, insider, "subject-collision", participant=None, subject=honest)
    return (f"references {reference(HOUSE, honest)} and {reference(INSIDER, honest)}, "
            f"receipts {[line['receipt'] for lines in effects.values() for line in lines]}; {finding['evidence']['houses']}")


def second_request_under_own_number(stack, insider):
    """A second, different request under its own number: the worker sets it aside, the ledger names the house, one effect."""
    first = insider.take_number(insider.request(service="steg.bill.pay", fields=PAY))
    insider.answer(first.subject)
    second = insider.take_number(insider.request(subject=first.subject, service="steg.bill.pay", fields=PAY | {"amount": 1}))
    insider.wait(20, "the worker sets it aside", lambda: second.id in stack.set_aside(AGENCY))
    named(stack, insider, "contradicting-requests", subject=first.subject)
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


def delivered_for_another(stack, insider):
    """`outcome.delivered` for the other house's outcome: named as `foreign-word`, and the honest request is as it was."""
    honest, _ = stack.honest_seconds(30)
    outcome = insider.wait(20, "the ledger has the outcome", lambda: [
        envelope for envelope in (page.parse(body) for body, _ in stack.evidence(AGENCY))
        if envelope.get("subject") == honest and page.kind_of(envelope) == "outcome"])[0]
    insider.say("outcome.delivered", {"outcomes": [{"id": outcome["id"], "subject": honest}]})
    finding = named(stack, insider, "foreign-word", subject=honest)[0]
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


def squatted_lanes(stack, insider):
    """Numbers under the agency's and the other house's epochs, the next and the greatest, and a presence under them: `foreign-lane` names the
    insider, and the honest lanes go on."""
    epochs = epochs_of(stack)
    for who, (epoch, last) in epochs.items():
        for number in (last + 1, last + 2, 2**53):
            insider.publish(insider.draft("message.refused", {"reason": "x", "digest": "A" * 43, "bytes": 1}, {
                "journal": epoch, "sequence": f"{number:020}", "chain": "A" * 43}))
        insider.publish(insider.presence(epoch=epoch, sequence=f"{2**53:020}"))
        insider.wait(20, f"the lane of {who} is named", lambda: [
            each for each in stack.findings(participant=INSIDER, **{"class": "foreign-lane"}) if each["evidence"]["epoch"] == epoch])
    return steady(stack, insider) + "; " + lanes_go_on(stack, insider, epochs)


def copied_opening(stack, insider):
    """`journal.opened` under the agency's own epoch: named without blame, for nothing proves who copied whom, and the honest lane goes on."""
    epochs = epochs_of(stack)
    lane = Lane(epochs[AGENCY][0])
    insider.say("journal.opened", {"epoch": lane.epoch, "reason": "mine"}, lane=lane)
    insider.wait(20, "two openings are named", lambda: [
        each for each in stack.findings(participant=None, **{"class": "foreign-lane"}) if each["evidence"]["epoch"] == lane.epoch])
    return steady(stack, insider) + "; " + lanes_go_on(stack, insider, epochs)


def epochs_of(stack):
    """Each honest participant's epoch and its greatest number; none before it may be missing or be chained to another."""
    found = {}
    for who, source in ((AGENCY, f"/agencies/{AGENCY}"), (HOUSE, f"/houses/{HOUSE}")):
        bodies = {}
        for body, _ in stack.evidence(who):
            envelope = page.parse(body)
            if envelope["source"] == source and "sequence" in envelope:
                bodies[envelope["journal"], int(envelope["sequence"])] = body
        (epoch, last), count = max(bodies), len(bodies)
        expect(len({epoch for epoch, _ in bodies}) == 1 and last == count, f"{who}: {count} messages up to number {last}")
        for number in range(2, last + 1):
            chain = page.parse(bodies[epoch, number])["chain"]
            expect(chain == page.digest(bodies[epoch, number - 1]), f"{who}: the chain at {number}")
        found[who] = epoch, last
    return found


def lanes_go_on(stack, insider, before):
    def gone_on():
        try:
            after = epochs_of(stack)
        except Surprise:
            return False  # one may still be on its way
        return all(after[who][0] == before[who][0] and after[who][1] > before[who][1] for who in before)
    insider.wait(20, f"both lanes are whole and past {before}", gone_on)
    return "the honest lanes are whole and go on"


def forked_lane(stack, insider):
    """Two messages with one number in its own lane: `fork` names the insider."""
    first, second = (insider.draft("message.refused", {"reason": text, "digest": "A" * 43, "bytes": 1}) for text in "ab")
    insider.take_number(first)
    insider.publish(second)
    finding = named(stack, insider, "fork")[0]
    return json.dumps(finding["evidence"])


def time_ahead(stack, insider):
    """A request dated a year ahead, and one eleven minutes ahead: the worker sets them aside, `implausible-time` names the house."""
    results = []
    for ahead in (timedelta(days=365), timedelta(minutes=11)):
        message = insider.take_number(insider.request(time=page.stamp(page.now() + ahead)))
        insider.wait(20, "the worker sets it aside", lambda: message.id in stack.set_aside(AGENCY))
        named(stack, insider, "implausible-time", subject=message.subject)
        expect(not stack.calls(INSIDER, message.subject), "the agency's system was asked")
        results.append(stack.set_aside(AGENCY)[message.id])
    return "; ".join(results)


def time_behind(stack, insider):
    """A request dated before the message that it follows in its lane, and one dated before what its house's beat had: `implausible-time`
    names the house."""
    falling = insider.take_number(insider.request(time=page.stamp(page.now() - timedelta(hours=20))))
    first = named(stack, insider, "implausible-time", subject=falling.subject)[0]
    lane = Lane()
    insider.say("journal.opened", {"epoch": lane.epoch, "reason": "another disk", "previous": insider.lane.epoch,
                                   "previoussequence": f"{insider.lane.sequence:020}", "previoushash": insider.lane.digest},
                {"time": page.stamp(page.now() - timedelta(hours=2))}, lane)
    insider.publish(insider.presence(epoch=lane.epoch, sequence=f"{lane.sequence:020}"))
    insider.lane, insider.beat = lane, insider.beat + 1
    backdated = insider.take_number(insider.request(time=page.stamp(page.now() - timedelta(hours=1))))
    second = named(stack, insider, "implausible-time", subject=backdated.subject)[0]
    return f"{json.dumps(first['evidence'])}; {json.dumps(second['evidence'])}"


def lying_presence(stack, insider):
    """Presence with 2^63 - 1 waiting, with members of a wrong shape, inside a lane, of another's clock: named, nothing is believed of it, and
    nothing ends."""
    for data in ({"backlog": 2**63 - 1}, {"backlog": -1}, {"oldestms": 1e300}, {"registry": "x"}, {"circuit": "ajar"}, {"sequence": "1"},
                 {"epoch": "x"}, {"beat": 2**53 + 1}, {"version": "v" * 10_000}):
        insider.publish(insider.presence(**data))
    in_lane = insider.presence(names=insider.lane.next())
    insider.publish(in_lane)
    insider.wait(20, "presence in a lane is set aside", lambda: in_lane.id in stack.set_aside("ledger"))
    named(stack, insider, "refused-message")
    return f"{stack.set_aside('ledger')[in_lane.id]}; {steady(stack, insider)}"


def beat_played_again(stack, insider):
    """An old beat, and the newest once more: they neither count as a sign of life nor say anything."""
    first, second = insider.presence(), insider.presence()
    insider.publish(first)
    insider.publish(second)
    seen = insider.wait(20, "the insider is seen", lambda: stack.seen(INSIDER))
    insider.wait(20, "both beats are in", lambda: settled(stack, insider))
    seen = stack.seen(INSIDER)
    for _ in range(5):
        insider.publish(first)
        insider.publish(second)
    stack.honest_seconds(30, busy=insider.listen)
    insider.listen(1)
    expect(stack.seen(INSIDER) == seen, f"last seen {seen}, then {stack.seen(INSIDER)}")
    return f"last seen stays at {seen}"


def settled(stack, insider):
    before = stack.seen(INSIDER)
    insider.listen(1)
    return stack.seen(INSIDER) == before


def flood(stack, insider):
    """2,000 words about requests that are not its own, and one that names 2,000 more: at most 501 findings name it, and honest orders are answered
    in their usual time meanwhile."""
    for number in range(2_000):
        insider.say("outcome.delivered", {"outcomes": [{"id": str(uuid.uuid4()), "subject": page_uuid7()}]})
        if number == 1_000:
            text = steady(stack, insider)
    insider.say("outcome.delivered", {"outcomes": [{"id": f"{number}", "subject": page_uuid7()} for number in range(2_000)]})
    def count(): return len([each for each in stack.findings(participant=INSIDER, **{"class": "foreign-word"}) if each["cleared"] is None])
    insider.wait(60, "the lies are named", lambda: count() >= 500)
    # What is beyond has the time to be named too, if it were to be.
    insider.listen(8)
    expect(count() <= 501, f"{count()} findings")
    return f"{count()} findings; {text} in the middle, {steady(stack, insider)} after"


def flood_without_signatures(stack, insider):
    """600 messages that nobody signed: at most 501 findings that blame nobody, and honest orders are answered in their usual time."""
    for _ in range(600):
        insider.publish(insider.request().altered(signature=None))
    text = steady(stack, insider)
    insider.answer(insider.take_number(insider.request()).subject)
    unproven = {"class": "refused-message", "participant": None, "cleared": None}
    insider.wait(30, "the flood is named", lambda: len(stack.findings(**unproven)) >= 500)
    insider.listen(3)
    count = len(stack.findings(**unproven))
    expect(count <= 501, f"{count} findings")
    return f"{count} findings; {text}"


ATTEMPTS = [another_citizens_number, second_request_under_own_number, own_messages_again, captured_messages, delivered_for_another,
            answers_by_a_house, squatted_lanes, copied_opening, forked_lane, time_ahead, time_behind, lying_presence, beat_played_again,
            own_mail_again, flood, flood_without_signatures]
