"""What receivers set aside: each part of a message altered, one at a time. Whoever is blamed is the insider or nobody."""
import json
import participant as page
from joserfc.jwk import OKPKey
from stack import AGENCY, HOUSE, INSIDER, Surprise, expect


def set_aside(stack, insider, messages, at=("ledger", AGENCY)):
    """Publishes each, and waits until each place has set each aside. Nothing comes of any."""
    for _, message in messages:
        insider.publish(message)
    for place in at:
        def missing():
            known = stack.set_aside(place)
            return [what for what, message in messages if message.id not in known]
        try:
            insider.wait(20, "", lambda: not missing())
        except Surprise:
            raise Surprise(f"{place} did not set aside: {missing()}")
    nothing_came_of(stack, insider, messages)
    reasons = stack.set_aside(at[0])
    return f"{len(messages)} set aside by {' and '.join(at)}: " + "; ".join(f"{what} ({reasons[message.id]})" for what, message in messages)


def nothing_came_of(stack, insider, messages):
    """A good order behind them in the same queue is answered; they are not, and the agency's own system never heard of them."""
    marker = insider.take_number(insider.request())
    insider.answer(marker.subject)
    for what, message in messages:
        subject = message.envelope.get("subject")
        expect(not insider.answers(subject), f"{what}: it was answered")
        expect(subject is None or not stack.calls(INSIDER, subject), f"{what}: the agency's system was asked")


def protected_header(stack, insider):
    """Each member of the signature's protected header altered, left out or added, and truly signed so: set aside by ledger and worker."""
    good = {"alg": "Ed25519", "b64": False, "crit": ["b64"], "kid": insider.key.thumbprint(), "typ": "wasl-message"}
    other = OKPKey.generate_key("Ed25519").thumbprint()
    neighbour = OKPKey.import_key(json.loads((stack.data / f"keys/{HOUSE}.json").read_text())["signing"]).thumbprint()
    changes = [("alg", value) for value in ("EdDSA", "none", "HS256", ["Ed25519"])] + [("b64", True), ("b64", 0), ("b64", "false")]
    changes += [("crit", value) for value in ([], ["b64", "exp"], "b64", ["b64", "b64"])]
    changes += [("kid", value) for value in (other, neighbour, "", None)]
    changes += [("typ", value) for value in ("wasl-receipt", "JWT", "WASL-MESSAGE")]
    changes += [("jku", "https://example.org/keys"), ("jwk", insider.key.as_dict(private=False)), ("x5u", ""), ("exp", 0)]
    headers = [(f"{name}={value!r:.12}", json.dumps(good | {name: value})) for name, value in changes]
    headers += [(f"no {name}", json.dumps({key: value for key, value in good.items() if key != name})) for name in good]
    headers += [("kid twice", json.dumps(good)[:-1] + f', "kid": "{insider.key.thumbprint()}"}}'), ("no object", "[]"), ("empty", "")]
    return set_aside(stack, insider, [(what, insider.request().with_header(text)) for what, text in headers])


def signature_form(stack, insider):
    """The signature cut, padded, with a payload inside, or missing: set aside."""
    def altered(change):
        message = insider.request()
        return message.altered(signature=change(message))
    return set_aside(stack, insider, [
        ("cut", altered(lambda each: each.signature[:-4])), ("padded", altered(lambda each: each.signature + "==")),
        ("with a payload", altered(lambda each: each.signature.replace("..", f".{page.b64(each.body)}."))),
        ("in capitals", altered(lambda each: each.signature.upper())), ("empty", altered(lambda each: "")),
        ("missing", altered(lambda each: None)), ("a number", altered(lambda each: 5)),
        ("of another message", altered(lambda each: insider.request().signature))])


def amqp_properties(stack, insider):
    """Properties that a receiver goes by, altered: set aside. Those that nobody goes by change nothing."""
    altered = [("content_type", "application/json"), ("content_type", "application/cloudevents+json"), ("content_type", None),
               ("message_id", "another")]
    text = set_aside(stack, insider, [(f"{name}={value!r:.20}", insider.request().altered({name: value})) for name, value in altered])
    # By these two nobody can look up what was set aside.
    for value in (None, "x" * 200):
        message = insider.publish(insider.request().altered({"message_id": value}))
        nothing_came_of(stack, insider, [(f"a message_id of {len(value or '')} bytes", message)])
    message = insider.request().altered({
        "user_id": None, "timestamp": 5, "delivery_mode": 1, "priority": 9, "correlation_id": "x", "reply_to": f"house.{HOUSE}", "type": "x",
        "app_id": HOUSE, "headers": {"x-delay": 5, "traceparent": "no"}})
    insider.take_number(message)
    expect(insider.answer(message.subject)["causationid"] == message.id, "the answer is not to this message")
    return f"{text}; without message_id and with a long one likewise; the others: answered like any order"


def sender_selected_routes(stack, insider):
    """RabbitMQ's CC and BCC headers, which carry a copy by a routing key that permissions never saw: receivers hold the message to its key."""
    forged = insider.request(source=f"/houses/{HOUSE}").altered(
        {"headers": {"CC": [f"steg.steg-bill-view.{HOUSE}"], "BCC": [f"tt.tt-bill-view.{HOUSE}"]}},
        routing_key=f"steg.steg-bill-view.{INSIDER}")
    return set_aside(stack, insider, [("in the neighbour's name", forged)])


def another_exchange(stack, insider):
    """A request delivered by receipts, by its own and by another agency's key; a receipt delivered as a request: set aside by the ledger."""
    receipt = insider.draft("outcome.delivered", {"outcomes": []})
    return set_aside(stack, insider, [
        ("request as receipt", insider.request().altered(exchange="wasl.receipts", routing_key=f"{INSIDER}.request-submitted")),
        ("another agency's key", insider.request().altered(routing_key=f"tt.steg-bill-view.{INSIDER}")),
        ("another service's key", insider.request().altered(routing_key=f"steg.steg-bill-pay.{INSIDER}")),
        ("receipt as request", receipt.altered(exchange="wasl.requests", routing_key=f"steg.steg-bill-view.{INSIDER}"))], at=("ledger",))


def each_attribute_after_signing(stack, insider):
    """Each attribute of the envelope altered after signing, left out, or given twice: set aside by ledger and worker."""
    changes = {
        "specversion": "1.1", "id": "another", "type": "tn.wasl.outcome.v1", "source": f"/houses/{HOUSE}", "time": "2026-01-01T00:00:00.000Z",
        "subject": "019339a2-0000-7000-8000-000000000001", "journal": "019339a2-0000-7000-8000-000000000002", "sequence": f"{77:020}",
        "chain": "A" * 43, "recipient": "tt", "service": "steg.bill.pay", "contract": "2", "expirytime": "2999-01-01T00:00:00.000Z",
        "datacontenttype": "text/plain", "data": {"sealed": "x"}}
    messages = []
    for name, value in changes.items():
        message = insider.request()
        body = page.encode(message.envelope | {name: value})
        messages.append((name, message.altered({"message_id": value} if name == "id" else {}, body=body)))
        without = insider.request()
        messages.append((f"no {name}", without.altered(body=page.encode(
            {key: member for key, member in without.envelope.items() if key != name}))))
    twice = insider.request()
    messages.append(("id twice", twice.signed_again(twice.body[:-1] + f',"id":"{twice.envelope["id"]}"}}'.encode())))
    return set_aside(stack, insider, messages)


def neighbours_name(stack, insider):
    """A request in the neighbour's name by the own key, signed or not: set aside; only the signer is blamed, without a signature nobody."""
    signed = insider.request(source=f"/houses/{HOUSE}").altered(routing_key=f"steg.steg-bill-view.{INSIDER}")
    unsigned = insider.request(source=f"/houses/{HOUSE}").altered(routing_key=f"steg.steg-bill-view.{INSIDER}", signature=None)
    text = set_aside(stack, insider, [("signed", signed), ("unsigned", unsigned)])
    # Findings name who is proven, and say in their evidence what a message said of itself.
    said = [each for each in stack.findings(**{"class": "refused-message"}) if each["evidence"].get("says") == f"/houses/{HOUSE}"]
    expect({each["participant"] for each in said} == {INSIDER, None}, f"expected the insider and nobody to be blamed, found {said}")
    expect(all(each["evidence"]["broker"] == INSIDER for each in said if each["participant"] is None), f"whose user it was: {said}")
    return text


def forms(stack, insider):
    """Contract "01", numbers beyond 2^53, bodies of no form and of 256 KiB + 1, all truly signed: set aside by ledger and worker."""
    big = insider.request()
    filler = page.BYTES_MAX + 1 - len(page.encode(big.envelope | {"filler": ""}))
    messages = [(f"contract {value}", insider.request(contract=value)) for value in ("01", "+1", "0", "1.0", f"{2**53 + 1}")]
    messages += [("sequence past 2^53", insider.request(sequence=f"{2**53 + 1:020}", chain="A" * 43)),
                 ("sequence 0", insider.request(sequence="0" * 20)),
                 ("256 KiB + 1", big.signed_again(page.encode(big.envelope | {"filler": "x" * filler})))]
    for what, body in (("no JSON", b"{"), ("not UTF-8", b'{"id":"\xff"}'), ("a list", b"[]"), ("deep", b"[" * 100_000), ("nothing", b"")):
        messages.append((what, insider.request().signed_again(body)))
    return set_aside(stack, insider, messages)


def seals(stack, insider):
    """A well-formed request with a swapped seal, one for another recipient, one with a member more, one that is none: the ledger logs it,
    which sees no seal; the worker sets it aside."""
    first, second = insider.request(), insider.request()
    subject = second.subject
    bad = [("of another message", insider.request(sealed=first.envelope["data"]["sealed"])),
           ("of the same subject, another id", insider.request(subject=subject, sealed=second.envelope["data"]["sealed"])),
           ("for another agency's key", insider.request(to="tt")), ("for the neighbour's key", insider.request(to=HOUSE)),
           ("a member more", insider.request(inside={"note": "x"})), ("another expiry inside", insider.request(
               inside={"expirytime": "2999-01-01T00:00:00.000Z"})),
           ("in the neighbour's name inside", insider.request(inside={"source": f"/houses/{HOUSE}"})),
           ("no fields", insider.request(inside={"fields": "x"})), ("no seal", insider.request(sealed="a.b.c.d.e")),
           ("no expirytime", insider.request(expirytime=None)), ("no contract", insider.request(contract=None))]
    messages = []
    for what, message in bad:
        # Drafted again at the next number: each of these is the ledger's to log.
        message = insider.draft("request.submitted", message.envelope["data"], {
            name: message.envelope.get(name) for name in ("id", "subject", "recipient", "service", "expirytime", "contract")})
        messages.append((what, insider.take_number(message)))
    insider.wait(20, "the worker has set all of them aside", lambda: all(
        message.id in stack.set_aside(AGENCY) for _, message in messages))
    nothing_came_of(stack, insider, messages)
    reasons = stack.set_aside(AGENCY)
    return "; ".join(f"{what} ({reasons[message.id]})" for what, message in messages)


ATTEMPTS = [protected_header, signature_form, amqp_properties, sender_selected_routes, another_exchange, each_attribute_after_signing,
            neighbours_name, forms, seals]
