"""So many lies that the honest might not be heard."""
import uuid
from honest import steady
from insider import new_number
from stack import INSIDER, expect


def flood(stack, insider):
    """2,000 words about numbers that nobody has, and three that name 2,000 more each: nothing is made of them, 5,000 wait at most, one finding
    says that there are more, and honest orders are answered in their usual time meanwhile."""
    def named(): return [each for each in stack.findings(participant=INSIDER, **{"class": "foreign-word"}) if each["cleared"] is None]
    before = len(named())
    for number in range(2_000):
        insider.say("outcome.delivered", {"outcomes": [{"id": str(uuid.uuid4()), "subject": new_number()}]})
        if number == 1_000:
            text = steady(stack, insider)
    for _ in range(3):
        insider.say("outcome.delivered", {"outcomes": [{"id": f"{number}", "subject": new_number()} for number in range(2_000)]})
    def overflow(): return [each for each in named() if "more of its words wait" in each["evidence"].get("reason", "")]
    insider.wait(60, "that more wait than are kept is named", overflow)
    # What is beyond has the time to be named too, if it were to be.
    insider.listen(8)
    expect(len(named()) == before + 1, f"{before} findings before, {len(named())} after")
    return f"one finding more; {text} in the middle, {steady(stack, insider)} after"


def flood_without_signatures(stack, insider):
    """600 messages that nobody signed: at most 501 findings of each who reports them, which blame nobody, and honest orders are answered in their
    usual time."""
    def reported():
        counts = {}
        for each in stack.findings(participant=None, cleared=None, **{"class": "refused-message"}):
            reporter = each["evidence"]["by"].rsplit("/", 1)[-1]
            counts[reporter] = counts.get(reporter, 0) + 1
        return counts
    for _ in range(600):
        insider.publish(insider.request().altered(signature=None))
    text = steady(stack, insider)
    insider.answer(insider.take_number(insider.request()).subject)
    insider.wait(30, "the flood is named", lambda: reported().get("ledger", 0) >= 500)
    # What is beyond has the time to be named too, if it were to be.
    insider.listen(5)
    expect(max(reported().values()) <= 501, f"findings by reporter: {reported()}")
    return f"findings by reporter: {reported()}; {text}"


ATTEMPTS = [flood, flood_without_signatures]
