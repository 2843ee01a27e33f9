"""Numbers, times and beats that are not as they should be, all truly signed."""
import json
from datetime import timedelta
import participant as page
from honest import steady
from insider import Lane
from stack import AGENCY, HOUSE, INSIDER, Surprise, expect


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
    finding = insider.named(stack, "fork")[0]
    return json.dumps(finding["evidence"])


def time_ahead(stack, insider):
    """A request dated a year ahead, and one eleven minutes ahead: the worker sets them aside, `implausible-time` names the house."""
    results = []
    for ahead in (timedelta(days=365), timedelta(minutes=11)):
        message = insider.take_number(insider.request(time=page.stamp(page.now() + ahead)))
        insider.wait(20, "the worker sets it aside", lambda: message.id in stack.set_aside(AGENCY))
        insider.named(stack, "implausible-time", subject=message.subject)
        expect(not stack.calls(INSIDER, message.subject), "the agency's system was asked")
        results.append(stack.set_aside(AGENCY)[message.id])
    return "; ".join(results)


def time_behind(stack, insider):
    """A request dated before the message that it follows in its lane, and one dated before what its house's beat had: `implausible-time`
    names the house."""
    falling = insider.take_number(insider.request(time=page.stamp(page.now() - timedelta(hours=20))))
    first = insider.named(stack, "implausible-time", subject=falling.subject)[0]
    lane = Lane()
    insider.say("journal.opened", {"epoch": lane.epoch, "reason": "another disk", "previous": insider.lane.epoch,
                                   "previoussequence": f"{insider.lane.sequence:020}", "previoushash": insider.lane.digest},
                {"time": page.stamp(page.now() - timedelta(hours=2))}, lane)
    insider.publish(insider.presence(epoch=lane.epoch, sequence=f"{lane.sequence:020}"))
    insider.lane, insider.beat = lane, insider.beat + 1
    backdated = insider.take_number(insider.request(time=page.stamp(page.now() - timedelta(hours=1))))
    second = insider.named(stack, "implausible-time", subject=backdated.subject)[0]
    return f"{json.dumps(first['evidence'])}; {json.dumps(second['evidence'])}"


def backdated_through_a_fresh_epoch(stack, insider):
    """A beat, then a new epoch, properly opened and dated before that beat, with a request of that date: `implausible-time` names the house."""
    insider.publish(insider.presence())
    insider.wait(20, "the beat is in", lambda: settled(stack, insider))
    past = {"time": page.stamp(page.now() - timedelta(hours=3))}
    lane = Lane()
    insider.say("journal.opened", {"epoch": lane.epoch, "reason": "another disk", "previous": insider.lane.epoch,
                                   "previoussequence": f"{insider.lane.sequence:020}", "previoushash": insider.lane.digest}, past, lane)
    insider.lane = lane
    backdated = insider.take_number(insider.request(**past))
    return json.dumps(insider.named(stack, "implausible-time", subject=backdated.subject)[0]["evidence"])


def small_steps_back(stack, insider):
    """Requests of which each is dated five minutes before the one before it: from the third step on each is named."""
    steps = [insider.take_number(insider.request(time=page.stamp(page.now() - timedelta(minutes=5 * step)))) for step in range(5)]
    for message in steps[3:]:
        insider.named(stack, "implausible-time", subject=message.subject)
    expect(not stack.findings(subject=steps[1].subject, **{"class": "implausible-time"}), "within ten minutes nothing is named")
    return f"{len(steps[3:])} of {len(steps)} are named"


def epoch_without_opening(stack, insider):
    """A new epoch that begins with a request: `epoch-changed` names the house."""
    lane = Lane()
    message = insider.draft("message.refused", {"reason": "x", "digest": "A" * 43, "bytes": 1}, lane=lane)
    insider.publish(message)
    insider.wait(20, "it is named", lambda: [
        each for each in stack.findings(participant=INSIDER, **{"class": "epoch-changed"}) if each["evidence"]["epoch"] == lane.epoch])
    return "named"


def made_up_epochs(stack, insider):
    """Two hundred beats that each name an epoch of their own: `epoch-changed` once for all of them, and the honest road is as it was."""
    for _ in range(200):
        insider.publish(insider.presence(epoch=str(page.uuid.uuid4()), sequence=f"{1:020}"))
    found = insider.wait(20, "they are too many", lambda: [
        each for each in stack.findings(participant=INSIDER, **{"class": "epoch-changed"}) if "more epochs" in each["evidence"]["reason"]])
    expect(len(found) == 1, f"{found}")
    return steady(stack, insider)


def lying_presence(stack, insider):
    """Presence with 2^63 - 1 waiting, with members of a wrong shape, inside a lane, of another's clock: named, nothing is believed of it, and
    nothing ends."""
    for data in ({"backlog": 2**63 - 1}, {"backlog": -1}, {"oldestms": 1e300}, {"registry": "x"}, {"circuit": "ajar"}, {"sequence": "1"},
                 {"epoch": "x"}, {"beat": 2**53 + 1}, {"version": "v" * 10_000}):
        insider.publish(insider.presence(**data))
    in_lane = insider.presence(names=insider.lane.next())
    insider.publish(in_lane)
    insider.wait(20, "presence in a lane is set aside", lambda: in_lane.id in stack.set_aside("ledger"))
    insider.named(stack, "refused-message")
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


ATTEMPTS = [squatted_lanes, copied_opening, forked_lane, time_ahead, time_behind, backdated_through_a_fresh_epoch, small_steps_back,
            epoch_without_opening, lying_presence, beat_played_again, made_up_epochs]
