"""What the broker itself refuses: its permissions are each participant's own and nobody else's."""
import base64, urllib.error, urllib.request
import pika
from pika.exceptions import AMQPConnectionError
from stack import HOUSE, INSIDER, Surprise, expect


def foreign_password(stack, insider):
    """Logging in as the other house with one's own password: the broker refuses."""
    try:
        insider.connect(HOUSE).close()
    except AMQPConnectionError as error:
        return type(error).__name__
    raise Surprise("the broker let it in")


def foreign_routing_key(stack, insider):
    """Publishing by another house's routing key, on either exchange: 403, the channel is closed."""
    results = []
    for exchange, key in (("wasl.requests", f"steg.steg-bill-view.{HOUSE}"), ("wasl.receipts", f"{HOUSE}.presence"),
                          ("wasl.receipts", "steg.outcome"), ("wasl.requests", f"steg.x.y.{INSIDER}")):
        results.append(insider.refused_by_broker(403, lambda channel: channel.basic_publish(exchange, key, b"{}")))
    return ", ".join(results)


def foreign_user_id(stack, insider):
    """A message that says another user: 406, the channel is closed."""
    properties = pika.BasicProperties(user_id=HOUSE)
    return insider.refused_by_broker(
        406, lambda channel: channel.basic_publish("wasl.requests", f"steg.steg-bill-view.{INSIDER}", b"{}", properties))


def foreign_exchange(stack, insider):
    """Writing where houses do not write, the nameless exchange included: 403."""
    results = []
    for exchange, key in (("wasl.control", f"{HOUSE}.resend"), ("wasl.outcomes", f"{HOUSE}.{INSIDER}.steg-bill-view"),
                          ("wasl.unroutable", ""), ("wasl.dead", "x"), ("", f"house.{HOUSE}"), ("amq.topic", "x")):
        results.append(insider.refused_by_broker(403, lambda channel: channel.basic_publish(exchange, key, b"{}")))
    return ", ".join(results)


def foreign_queue(stack, insider):
    """Taking from anybody else's queue, by get or as a consumer: 403."""
    queues = (f"house.{HOUSE}", f"control.{HOUSE}", "agency.steg", "control.steg", "ledger", "unroutable", "dead")
    for queue in queues:
        insider.refused_by_broker(403, lambda channel: channel.basic_get(queue))
        insider.refused_by_broker(403, lambda channel: channel.basic_consume(queue, lambda *_: None))
    return f"403 for get and consume on {len(queues)} queues"


def purge(stack, insider):
    """Purging another's queue: 403."""
    return ", ".join(insider.refused_by_broker(403, lambda channel: channel.queue_purge(queue)) for queue in (
        f"house.{HOUSE}", "agency.steg", "ledger"))


def declare_and_delete(stack, insider):
    """Declaring or deleting a queue or an exchange, its own included: 403."""
    tries = [
        lambda channel: channel.queue_declare(f"spy.{INSIDER}", durable=True), lambda channel: channel.queue_declare("", exclusive=True),
        lambda channel: channel.queue_delete(f"house.{HOUSE}"), lambda channel: channel.queue_delete(f"house.{INSIDER}"),
        lambda channel: channel.exchange_declare("spy", "topic"), lambda channel: channel.exchange_delete("wasl.requests")]
    return ", ".join(insider.refused_by_broker(403, each) for each in tries)


def bind(stack, insider):
    """Binding its own queue to what others are sent, unbinding another's, joining exchanges: 403."""
    tries = [
        lambda channel: channel.queue_bind(f"house.{INSIDER}", "wasl.outcomes", "#"),
        lambda channel: channel.queue_bind(f"house.{INSIDER}", "wasl.requests", "#"),
        lambda channel: channel.queue_unbind(f"house.{HOUSE}", "wasl.outcomes", f"{HOUSE}.#"),
        lambda channel: channel.exchange_bind("wasl.receipts", "wasl.outcomes", "#")]
    return ", ".join(insider.refused_by_broker(403, each) for each in tries)


def management_api(stack, insider):
    """The broker's management API with a participant's password: 401."""
    word = base64.b64encode(f"{INSIDER}:{insider.password}".encode()).decode()
    request = urllib.request.Request(f"http://127.0.0.1:{stack.management_port()}/api/queues", headers={"authorization": f"Basic {word}"})
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except urllib.error.HTTPError as error:
        expect(error.code == 401, f"expected 401, found {error.code}")
        return "401"
    raise Surprise("the broker's management API answers a participant")


def passive_look(stack, insider):
    """Asking whether another's queue is there: the broker tells how many messages wait in it, and nothing of them."""
    channel = insider.connection.channel()
    found = channel.queue_declare(f"house.{HOUSE}", passive=True).method
    channel.close()
    return f"{found.message_count} messages, {found.consumer_count} consumers"


ATTEMPTS = [foreign_password, foreign_routing_key, foreign_user_id, foreign_exchange, foreign_queue, purge, declare_and_delete, bind,
            passive_look, management_api]
