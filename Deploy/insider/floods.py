"""So many lies that the honest might not be heard."""
import uuid
from honest import steady
from insider import new_number
from stack import INSIDER, expect


def flood(stack, insider):
    """2,000 words about requests that are not its own, and one that names 2,000 more: at most 501 findings name it, and honest orders are answered
    in their usual time meanwhile."""
    for number in range(2_000):
        insider.say("outcome.delivered", {"outcomes": [{"id": str(uuid.uuid4()), "subject": new_number()}]})
        if number == 1_000:
            text = steady(stack, insider)
    insider.say("outcome.delivered", {"outcomes": [{"id": f"{number}", "subject": new_number()} for number in range(2_000)]})
    def count(): return len([each for each in stack.findings(participant=INSIDER, **{"class": "foreign-word"}) if each["cleared"] is None])
    insider.wait(60, "the lies are named", lambda: count() >= 500)
    # What is beyond has the time to be named too, if it were to be.
    insider.listen(8)
    expect(count() <= 501, f"{count()} findings")
    return f"{count()} findings; {text} in the middle, {steady(stack, insider)} after"


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
