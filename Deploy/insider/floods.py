"""So many lies that the honest might not be heard."""
from honest import steady
from insider import new_number
from stack import INSIDER, expect


def flood(stack, insider):
    """2,000 words about numbers that nobody has, twenty that name 200 more each, and three that name 2,000: nothing is made of them, the three are
    refused, and honest orders are answered in their usual time meanwhile."""
    def named(kind): return [each for each in stack.findings(participant=INSIDER, **{"class": kind}) if each["cleared"] is None]
    def words(count): return {"outcomes": [{"id": f"{number}", "subject": new_number()} for number in range(count)]}
    before = len(named("foreign-word"))
    for number in range(2_000):
        insider.say("outcome.delivered", words(1))
        if number == 1_000:
            text = steady(stack, insider)
    for _ in range(20):
        insider.say("outcome.delivered", words(200))
    refused = [insider.say("outcome.delivered", words(2_000)) for _ in range(3)]
    def refusals(): return [each for each in named("refused-message") if "at most 200" in each["evidence"]["reason"]]
    insider.wait(60, "all that say too much are refused", lambda: len(refusals()) == len(refused))
    # What waits has the time to be named too, if it were to be.
    insider.listen(12)
    expect(len(named("foreign-word")) == before, f"{before} findings before, {len(named('foreign-word'))} after")
    return f"{refusals()[0]['evidence']['reason']}; {text} in the middle, {steady(stack, insider)} after"


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
