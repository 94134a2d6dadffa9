"""An accepted event as it is kept in journals and sent from person to person: what processors read of it, no more.

A tuple: kind, event time, event id, session id, channel, device, country, then the kind's own fields. A third of the
struct's size, and written in half the time. The order of KINDS and of the fields is part of the stored format.
"""

from operator import attrgetter
from typing import Any, Final

from schemas.events.browsing import (
    CartAdded,
    CartEmptied,
    CartRemoved,
    DetailViewed,
    ProductClicked,
    ProductsShown,
    ShownProduct,
)
from schemas.events.envelope import Context
from schemas.events.journey import NotificationSent
from schemas.events.order import OrderCaptured, OrderLine
from schemas.events.session import (
    ActivitySeen,
    ExperienceServed,
    GoalReached,
    MessageExchanged,
    PersonIdentified,
    SessionEnded,
    SessionStarted,
    SupportJoined,
)

Kept = tuple[Any, ...]

FIELDS: Final[dict[type, tuple[str, ...]]] = {
    SessionStarted: (),
    SessionEnded: (),
    ActivitySeen: (),
    MessageExchanged: ("direction",),
    SupportJoined: (),
    ExperienceServed: ("experience_id", "variant_id", "test_id"),
    GoalReached: ("goal_id", "experience_id", "value", "currency"),
    PersonIdentified: (),
    ProductsShown: ("widget_id", "strategy", "placement"),  # and products
    ProductClicked: ("product_id", "widget_id"),
    DetailViewed: ("product_id", "widget_id"),
    CartAdded: ("product_id", "quantity"),
    CartRemoved: ("product_id", "quantity"),
    CartEmptied: (),
    OrderCaptured: ("order_id", "order_version", "currency", "shipping", "tax", "total"),  # and lines
    NotificationSent: ("journey_id", "execution_id", "communication_id", "notification_channel"),
}
KINDS: Final = tuple(FIELDS)
_LINE: Final = ("line_id", "product_id", "sku", "quantity", "unit_price", "discount")
_HEAD: Final = 7
AT: Final = 1
EVENT_ID: Final = 2


def _reader(fields: tuple[str, ...]) -> Any:
    """event -> its values of these fields, as a tuple."""
    if not fields:
        return lambda event: ()
    if len(fields) == 1:
        get = attrgetter(fields[0])
        return lambda event: (get(event),)
    return attrgetter(*fields)


_READ: Final = {kind: (number, _reader(fields)) for number, (kind, fields) in enumerate(FIELDS.items())}
_read_line: Final = _reader(_LINE)


def keep(event: Any) -> Kept:
    """The event, compact. `occurred_at` is its event time."""
    kind = event.__class__
    number, read = _READ[kind]
    context = event.context
    head = (
        number, event.occurred_at, event.event_id, event.session_id, event.channel,
        context.device if context is not None else None, context.country if context is not None else None,
    )  # fmt: skip
    if kind is ProductsShown:
        products = event.products
        return (
            *head,
            *read(event),
            [one.product_id for one in products],
            [one.position for one in products],
        )
    if kind is OrderCaptured:
        return (*head, *read(event), [_read_line(line) for line in event.lines])
    return (*head, *read(event))


def event_of(kept: Kept, store_id: str) -> Any:
    """The event again, with what processors read of it; whose it was is not in it."""
    number, at, event_id, session_id, channel, device, country = kept[:_HEAD]
    kind: Any = KINDS[number]
    names = FIELDS[kind]
    own: dict[str, Any] = dict(zip(names, kept[_HEAD:], strict=False))
    rest = kept[_HEAD + len(names) :]
    if kind is ProductsShown:
        own["type"] = "shown"
        own["products"] = [
            ShownProduct(product_id=product, position=position)
            for product, position in zip(*rest, strict=True)
        ]
    elif kind is OrderCaptured:
        own["lines"] = [OrderLine(**dict(zip(_LINE, line, strict=True))) for line in rest[0]]
    return kind(
        event_id=event_id,
        store_id=store_id,
        occurred_at=at,
        session_id=session_id,
        channel=channel,
        context=None if device is None and country is None else Context(device=device, country=country),
        **own,
    )
