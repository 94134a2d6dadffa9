"""Topic `order`: captures with their lines, cancels, refunds. All money is exact integers, never floats."""

from typing import Annotated

from msgspec import Meta, Struct, field

from schemas.events.envelope import Envelope
from schemas.events.fields import MAX_LINES, UNREAD, Id, Money, OrderVersion, Quantity


class OrderLine(Struct, kw_only=True, gc=False):
    """One line of a capture. `unit_price` and `discount` (of the whole line, 0 if absent) are minor units."""

    line_id: Id | None = None
    product_id: Id
    sku: Id | None = None
    quantity: Quantity
    unit_price: Money
    discount: Money = UNREAD


class OrderCaptured(Envelope, tag="captured", kw_only=True, gc=False):
    """An order, or a later version of it. Money is minor units of `currency`; absent `shipping` and `tax` are 0."""

    order_id: Id
    order_version: OrderVersion = 1
    currency: str
    lines: Annotated[list[OrderLine], Meta(min_length=1, max_length=MAX_LINES)]
    shipping: Money = UNREAD
    tax: Money = UNREAD
    total: Money


class OrderCanceled(Envelope, tag="canceled", kw_only=True, gc=False):
    """An order was canceled. It may name no person: it is matched by `order_id` alone."""

    order_id: Id


class RefundLine(Struct, kw_only=True, gc=False):
    """One line of a refund. `amount_e4` is the wire's `amount` in 10^-4 major units of the order's currency."""

    line_id: Id | None = None
    product_id: Id
    quantity: Quantity
    amount_e4: Money = field(name="amount")


class OrderRefunded(Envelope, tag="refunded", kw_only=True, gc=False):
    """A refund, matched by `order_id` alone. `amount_e4` is the wire's `amount` in 10^-4 major units.

    A refund names no currency, so minor units are known only beside its order; digits that do not fit that order's
    currency show as a remainder of 10^(4 - exponent). `lines` None (not itemised) differs from an empty list.
    """

    order_id: Id
    refund_id: Id
    amount_e4: Money = field(name="amount")
    lines: list[RefundLine] | None = None


OrderEvent = OrderCaptured | OrderCanceled | OrderRefunded
