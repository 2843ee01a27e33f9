"""A plain AMQP client with one participant's own password and key: a house's, as a rule. It believes nothing, keeps nothing, and says
whatever it likes."""
import copy, time, uuid
from datetime import timedelta
import pika
from pika.exceptions import AMQPChannelError
from joserfc import jwe
from joserfc.jwk import OKPKey
import participant as page
from stack import AGENCY, INSIDER, Surprise, expect

BILL = {"reference": "123456789"}


class Message:
    """What goes on the wire. Body, signature, way and properties can each be altered apart."""

    def __init__(self, envelope, key, user=INSIDER):
        self.envelope, self.key = envelope, key
        self.body = page.encode(envelope)
        self.signature = page.sign(self.body, key)
        self.exchange, self.routing_key = page.route(envelope)
        self.properties = {
            "content_type": page.CONTENT_TYPE, "delivery_mode": 2, "message_id": envelope["id"], "user_id": user,
            "timestamp": int(page.instant(envelope["time"]).timestamp())}

    @property
    def id(self): return self.properties["message_id"]

    @property
    def subject(self): return self.envelope["subject"]

    def altered(self, properties={}, **parts):
        other = copy.copy(self)
        other.properties = self.properties | properties
        for name, value in parts.items():
            setattr(other, name, value)
        return other

    def signed_again(self, body):
        """Other bytes, signed with the same key as they are now."""
        return self.altered(body=body, signature=page.sign(body, self.key))

    def with_header(self, header):
        """The same bytes, truly signed with the same key, under another protected header (its exact text)."""
        text = page.b64(header.encode())
        return self.altered(signature=f"{text}..{page.b64(self.key.private_key.sign(text.encode() + b'.' + self.body))}")


class Lane:
    """The numbers that the insider gives its words. One may be opened under any epoch."""

    def __init__(self, epoch=None):
        self.epoch, self.sequence, self.digest = epoch or str(uuid.uuid4()), 0, None

    def next(self):
        names = {"journal": self.epoch, "sequence": f"{self.sequence + 1:020}"}
        return names | ({"chain": self.digest} if self.digest else {})

    def advance(self, body):
        self.sequence, self.digest = self.sequence + 1, page.digest(body)


class Insider:
    def __init__(self, stack, user=INSIDER, role="house"):
        self.user, self.role = user, role
        keys = page.json.loads((stack.data / f"keys/{user}.json").read_text())
        self.key, self.opening = OKPKey.import_key(keys["signing"]), OKPKey.import_key(keys["opening"][0])
        self.root = OKPKey.import_key(page.json.loads((stack.data / "keys/root.jwk.json").read_text()))
        self.registry = page.Registry(stack.data / "registry.signed", self.root)
        self.port, self.password = stack.broker_port, (stack.data / f"keys/passwords/{user}.password").read_text().strip()
        self.connection, self.inbox, self.lane, self.beat = self.connect(user), [], Lane(), 0
        self.channel = self.confirming()
        self.listening = self.connection.channel()
        for queue in (f"{role}.{user}", f"control.{user}"):
            self.listening.basic_consume(queue, self.receive, auto_ack=True)

    def connect(self, user):
        return pika.BlockingConnection(pika.ConnectionParameters(
            "127.0.0.1", self.port, "wasl", pika.PlainCredentials(user, self.password), heartbeat=0, blocked_connection_timeout=30,
            socket_timeout=10, stack_timeout=20))

    def confirming(self):
        channel = self.connection.channel()
        channel.confirm_delivery()
        return channel

    def receive(self, channel, method, properties, body):
        self.inbox.append((method, properties, body, page.parse(body)))

    # Waiting. Every wait has a limit and says what it waited for.

    def listen(self, seconds=0):
        self.connection.process_data_events(time_limit=seconds)

    def wait(self, seconds, what, condition):
        end = time.monotonic() + seconds
        while True:
            found = condition()
            if found:
                return found
            expect(time.monotonic() < end, f"waited {seconds} s until {what}")
            self.listen(0.1)

    def answers(self, subject):
        return [each[3] for each in self.inbox if each[3].get("subject") == subject and page.kind_of(each[3]) == "outcome"]

    def answer(self, subject, seconds=30):
        return self.wait(seconds, f"{subject} is answered", lambda: self.answers(subject))[0]

    def opened(self, outcome):
        content = page.parse(jwe.decrypt_compact(outcome["data"]["sealed"], self.opening, registry=page.OPENER).plaintext)
        for name in ("id", "subject", "source", "recipient"):
            expect(content[name] == outcome[name], f"the sealed answer's {name} is not its envelope's")
        return content["fields"]

    def named(self, stack, kind, **members):
        """Waits for findings of that class that name the insider, or whom `members` says."""
        members = {"class": kind, "participant": self.user} | members
        return self.wait(30, f"a finding {members}", lambda: stack.findings(**members))

    # Saying.

    def draft(self, kind, data, names={}, lane=None):
        """A message at the lane's next number, which stays the next: nothing of what is only drafted is to be believed."""
        folder = "houses" if self.role == "house" else "agencies"
        envelope = {"specversion": "1.0", "id": str(uuid.uuid4()), "type": f"tn.wasl.{kind}.v1", "source": f"/{folder}/{self.user}",
                    "time": page.stamp()} | (lane or self.lane).next() | names
        envelope = {name: value for name, value in envelope.items() if value is not None}
        return Message(envelope | {"datacontenttype": "application/json", "data": data}, self.key, self.user)

    def publish(self, message):
        """Returns when the broker has it. What the broker refuses closes the channel: then this raises, and the next has a new one."""
        if not self.channel.is_open:
            self.channel = self.confirming()
        headers = {"wasl-signature": message.signature} if message.signature is not None else None
        headers = (headers or {}) | message.properties.get("headers", {})
        properties = pika.BasicProperties(**(message.properties | {"headers": headers}))
        self.channel.basic_publish(message.exchange, message.routing_key, message.body, properties,
                                   mandatory=message.exchange in ("wasl.receipts", "wasl.control"))
        return message

    def say(self, kind, data, names={}, lane=None):
        """Publishes at the lane's next number, and takes it: for lies that are well formed, which stand in the ledger's log."""
        lane = lane or self.lane
        message = self.publish(self.draft(kind, data, names, lane))
        lane.advance(message.body)
        return message

    def take_number(self, message):
        self.publish(message)
        self.lane.advance(message.body)
        return message

    def request(self, subject=None, service="steg.bill.view", fields=BILL, time=None, sealed=None, inside={}, to=AGENCY, **names):
        """A draft of a request. `sealed` replaces its sealed text, `inside` alters what is in it, `to` is whom it is sealed to."""
        base = {"id": str(uuid.uuid4()), "subject": subject or new_number(), "source": f"/houses/{INSIDER}", "recipient": AGENCY,
                "service": service, "expirytime": page.stamp(page.now() + timedelta(days=1))}
        if sealed is None:
            key = self.registry.key(to, "enc", page.now())
            sealed = jwe.encrypt_compact(page.jwe_header(key.thumbprint(), INSIDER, AGENCY),
                                         page.encode(base | {"fields": fields} | inside), key, algorithms=page.SEAL)
        data = {"sealed": sealed} | ({"millimes": fields["amount"]} if "amount" in fields else {})
        return self.draft("request.submitted", data, base | {"time": time or page.stamp(), "contract": "1"} | names)

    def presence(self, names={}, **data):
        """A beat. It stands outside every lane."""
        self.beat += 1
        base = {"epoch": self.lane.epoch, "sequence": f"{self.lane.sequence:020}", "beat": self.beat, "backlog": 0, "oldestms": 0,
                "clock": page.stamp(), "version": "insider", "registry": self.registry.version}
        return self.draft("presence", base | data, {"journal": None, "sequence": None, "chain": None} | names)

    def refused_by_broker(self, code, operation):
        """Tries it on a channel of its own, which the broker has to close with that code."""
        channel = self.connection.channel()
        channel.confirm_delivery()
        try:
            operation(channel)
        except AMQPChannelError as error:
            expect(getattr(error, "reply_code", None) == code, f"expected {code}, the broker says {error!r}")
            return f"{code} {error.reply_text.split(' - ')[0]}"
        channel.close()
        raise Surprise("the broker allowed it")


def new_number():
    """A request's, by time as a house mints it."""
    value = time.time_ns() // 1_000_000 << 80 | uuid.uuid4().int & ((1 << 80) - 1)
    return str(uuid.UUID(int=value & ~(0xF << 76) & ~(3 << 62) | 7 << 76 | 2 << 62))
