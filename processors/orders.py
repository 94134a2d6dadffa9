"""An order: its captures and versions, who and what it belongs to, its credit, its row.

`first` decides person, channel, session and time; `content` decides lines and money (decisions H50). Both are the least
of a total order over the events, so it does not matter which comes first. Orders are kept for ever: a refund may come at
any age.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from processors.attribution import Assist, Credit
from processors.money import line_paid
from processors.person import Tenant
from processors.rate_book import RateBook
from processors.reporting import Reported, reported, unreported
from processors.settlement import Adjustment, Refund, settle
from schemas.currencies import EXPONENTS
from schemas.events.order import OrderCaptured
from schemas.rates import Rate
from schemas.rows import OrderRow


class Line(Struct, array_like=True, gc=False):
    """A line as sent; money in minor units."""

    line_id: str
    product: str
    sku: str
    quantity: int
    unit_price: int
    discount: int


class Capture(Struct, array_like=True, gc=False):
    """A capture of the order: the first, or another version. Session id, device and country are empty if not named."""

    at: int
    event_id: str
    holder: int  # the partition of the person
    person: str
    channel: str
    session_id: str
    device: str
    country: str
    version: int
    currency: str
    total: int
    shipping: int
    tax: int
    lines: list[Line]


class OrderState(Struct, array_like=True, gc=False):
    """Everything known of one order."""

    captures: list[Capture]  # ours, and those that other partitions hold
    credits: dict[str, Credit]
    assist: Assist | None
    exposed: list[
        tuple[str, str]
    ]  # (session key, widget) of the impressions that its direct lines confirm (H77)
    refunds: dict[str, Refund]
    canceled: tuple[int, str] | None  # time and event id of the first cancel
    session_key: str  # the session it counts in, empty: none
    entered: tuple[
        str, str
    ]  # the person in whose sessions it is entered, and by which capture; empty: not here
    born: int  # the day that its row is stored under, whoever writes it; 0: not known yet
    written: int  # the day of our own row, 0: there is none
    retired: int  # the day of a row of ours that is to be withdrawn, 0: none
    peers: list[int]  # the other partitions in which it was captured

    @property
    def first(self) -> Capture | None:
        """The capture that decides person, channel, session and time."""
        captures = self.captures
        if len(captures) < 2:
            return captures[0] if captures else None
        return min(captures, key=_by_time)

    @property
    def content(self) -> Capture | None:
        """The capture that decides lines and money."""
        captures = self.captures
        if len(captures) < 2:
            return captures[0] if captures else None
        return min(captures, key=_by_version)


def _by_time(capture: Capture) -> tuple[int, str, int]:
    # For a moment an event may be on its way from one holder to another, and be held by both.
    return capture.at, capture.event_id, capture.holder


def _by_version(capture: Capture) -> tuple[int, int, str]:
    return -capture.version, capture.at, capture.event_id


def fresh_order() -> OrderState:
    """An order of which nothing is known."""
    return OrderState([], {}, None, [], {}, None, "", ("", ""), 0, 0, 0, [])


def timely_versions(order: OrderState, lateness: int) -> list[Capture]:
    """The captures made within the allowed lateness of the first one, the one that holds (H50) first.

    They decide which products the touches are asked for, and which exposures have converted. A line that a later
    version brings takes what its product has already earned in this order, and nothing if it is new: the touches that
    could tell may be forgotten by then, and a row must not depend on when the version came (H58).
    """
    first = order.first
    assert first is not None
    return sorted(
        [capture for capture in order.captures if capture.at <= first.at + lateness], key=_by_version
    )


def capture_of(event: OrderCaptured, at: int, holder: int, person: str) -> Capture:
    """What an event says of its order. `at`: event time."""
    context = event.context
    return Capture(
        at,
        event.event_id,
        holder,
        person,
        event.channel,
        event.session_id or "",
        (context.device or "") if context is not None else "",
        (context.country or "") if context is not None else "",
        event.order_version,
        event.currency,
        event.total,
        event.shipping,
        event.tax,
        [
            Line(
                line.line_id or "",
                line.product_id,
                line.sku or "",
                line.quantity,
                line.unit_price,
                line.discount,
            )
            for line in event.lines
        ],
    )


def order_row(tenant: Tenant, order_id: str, order: OrderState, rates: RateBook, version: int) -> OrderRow:
    """The order as ClickHouse keeps it."""
    store, calendar = tenant.store, tenant.calendar
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
    day = calendar.day(first.at)
    told = unreported(len(lines), len(adjustments))
    if store.reporting_currency:
        told = _reported(
            content,
            paid,
            adjustments,
            store.reporting_currency,
            rates.rate(tenant, content.currency, day, order_id),
        )
    return OrderRow(
        tenant.store_id,
        order_id,
        order.born,
        first.person,
        first.channel,
        order.session_key,
        first.at,
        day,
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
        *told,
        version,
        0,
    )


def _reported(
    content: Capture, paid: Sequence[int], adjustments: Sequence[Adjustment], currency: str, rate: Rate | None
) -> Reported:
    reporting_exponent = EXPONENTS[currency]
    if rate is None:
        return unreported(len(paid), len(adjustments), currency=currency, exponent=reporting_exponent)
    return reported(
        total=content.total,
        paid=paid,
        exponent=EXPONENTS[content.currency],
        adjustments=adjustments,
        rate=rate,
        currency=currency,
        reporting_exponent=reporting_exponent,
    )


def deleted_order_row(store_id: str, order_id: str, born: int, version: int) -> OrderRow:
    """The row that withdraws an order under the day `born`. Nothing need be known of its captures any more."""
    nothing = (
        store_id, order_id, born, "", "", "", 0, 0, "", *([0] * 5), *([[]] * 15), 0, *([[]] * 8),
        *unreported(0, 0), version, 1,
    )  # fmt: skip
    return msgspec.convert(nothing, OrderRow)


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
