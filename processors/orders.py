"""An order: its captures and versions, who and what it belongs to, its credit, its row.

`first` decides person, channel, session and time; `content` decides lines and money (decisions H50). Both are the least
of a total order over the events, so it does not matter which comes first. Orders are kept for ever: a refund may come at
any age.
"""

from msgspec import Struct

from processors.attribution import Assist, Credit
from processors.money import line_paid
from processors.settlement import Refund, settle
from schemas.currencies import EXPONENTS
from schemas.rows import OrderRow
from schemas.stores import Calendar, Store


class Capture(Struct, array_like=True, gc=False):
    """What the earliest capture says. `session_id` is empty where it named none."""

    at: int
    event_id: str
    person: str
    channel: str
    session_id: str
    device: str
    country: str


class Line(Struct, array_like=True, gc=False):
    """A line as sent; money in minor units."""

    line_id: str
    product: str
    sku: str
    quantity: int
    unit_price: int
    discount: int


class Content(Struct, array_like=True, gc=False):
    """What the highest version says."""

    version: int
    at: int
    event_id: str
    currency: str
    total: int
    shipping: int
    tax: int
    lines: list[Line]


class Version(Struct, array_like=True, gc=False):
    """Which products a capture had, and where it stands among the captures."""

    at: int
    number: int
    event_id: str
    products: list[str]


class OrderState(Struct, array_like=True, gc=False):
    """Everything known of one order."""

    first: Capture | None
    content: Content | None
    versions: list[Version]  # of all captures
    credits: dict[str, Credit]
    assist: Assist | None
    exposed: list[
        tuple[str, str]
    ]  # (session key, widget) of the impressions that its direct lines confirm (H77)
    refunds: dict[str, Refund]
    canceled: tuple[int, str] | None  # time and event id of the first cancel
    session_key: str  # the session it counts in, empty: none
    holder: str  # the person in whose sessions it is entered, empty: nobody yet
    born: int


def fresh_order() -> OrderState:
    """An order of which nothing is known."""
    return OrderState(None, None, [], {}, None, [], {}, None, "", "", 0)


def timely_versions(order: OrderState, lateness: int) -> list[Version]:
    """The captures made within the allowed lateness of the first one, the one that holds (H50) first.

    They decide which products the touches are asked for, and which exposures have converted. A line that a later
    version brings takes what its product has already earned in this order, and nothing if it is new: the touches that
    could tell may be forgotten by then, and a row must not depend on when the version came (H58).
    """
    assert order.first is not None
    until = order.first.at + lateness
    timely = [version for version in order.versions if version.at <= until]
    return sorted(timely, key=lambda version: (-version.number, version.at, version.event_id))


def order_row(
    store_id: str, store: Store, calendar: Calendar, order_id: str, order: OrderState, version: int
) -> OrderRow:
    """The order as ClickHouse keeps it."""
    first, content = order.first, order.content
    assert first is not None
    assert content is not None
    lines = content.lines
    exponent = EXPONENTS[content.currency]
    paid = line_paid(
        [line.quantity * line.unit_price - line.discount for line in lines],
        total=content.total,
        shipping=content.shipping,
        tax=content.tax,
        store=store,
    )
    line_ids = [line.line_id for line in lines]
    products = [line.product for line in lines]
    earned = [_earned(order, line.product) for line in lines]
    adjustments = (
        settle(
            total=content.total,
            paid=paid,
            line_ids=line_ids,
            products=products,
            exponent=exponent,
            refunds=order.refunds.values(),
            canceled_at=order.canceled[0] if order.canceled else None,
        )
        if order.refunds or order.canceled
        else []
    )
    return OrderRow(
        store_id,
        order_id,
        order.born,
        first.person,
        first.channel,
        order.session_key,
        first.at,
        calendar.day(first.at),
        content.currency,
        exponent,
        content.version,
        content.total,
        content.shipping,
        content.tax,
        line_ids,
        products,
        [line.sku for line in lines],
        [line.quantity for line in lines],
        [line.unit_price for line in lines],
        [line.discount for line in lines],
        paid,
        [one[0] for one in earned],
        [one[1] for one in earned],
        [one[2] for one in earned],
        [one[3] for one in earned],
        [one[4] for one in earned],
        [one[5] for one in earned],
        [one[6] for one in earned],
        [one[7] for one in earned],
        int(order.assist is not None),
        [session for session, _ in order.exposed],
        [widget for _, widget in order.exposed],
        [one.kind for one in adjustments],
        [one.refund_id for one in adjustments],
        [one.at for one in adjustments],
        [calendar.day(one.at) for one in adjustments],
        [one.amount for one in adjustments],
        [one.lines for one in adjustments],
        version,
        0,
    )


_Earned = tuple[str, int, str, int, str, str, str, str]
"""credit, exposure_only, touch kind, at, product, widget, strategy, placement."""


def _earned(order: OrderState, product: str) -> _Earned:
    credit = order.credits.get(product)
    if credit is not None and credit.direct:
        return "direct", 0, "shown", credit.at, product, credit.widget, credit.strategy, credit.placement
    seen = int(credit is not None and credit.exposure_only)
    assist = order.assist
    if assist is None:
        return "none", seen, "", 0, "", "", "", ""
    return (
        "assisted", seen, assist.kind, assist.at, assist.product,
        assist.widget, assist.strategy, assist.placement,
    )  # fmt: skip
