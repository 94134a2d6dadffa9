"""Whose event it is: the record's key on the wire, and the person's name in state."""

from schemas.events.order import OrderCanceled, OrderRefunded
from schemas.events.types import Event


def person_key(event: Event) -> str:
    """The key its record should have: `<store_id>|<customer or anonymous id>`.

    Cancels and refunds belong to their order, whoever they name: `<store_id>|order:<order_id>`.
    """
    if isinstance(event, (OrderCanceled, OrderRefunded)):
        return order_key(event.store_id, event.order_id)
    return f"{event.store_id}|{event.customer_id or event.anonymous_id}"


def order_key(store_id: str, order_id: str) -> str:
    """The key of the index from order to person, a key space of its own."""
    return f"{store_id}|order:{order_id}"


def person_id(event: Event) -> str | None:
    """The person's name in state: `c:<customer_id>`, else `a:<anonymous_id>`; None for a cancel or refund of nobody.

    Customers and devices are two name spaces: customer `x` and device `x` share a Kafka key but are two people.
    """
    if event.customer_id is not None:
        return "c:" + event.customer_id
    if event.anonymous_id is not None:
        return "a:" + event.anonymous_id
    return None
