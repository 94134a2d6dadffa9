"""Orders: which capture counts for what, what each line paid, and what cancels and refunds take back (part D)."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from schemas.stores import Store
from tests.oracle.currencies import EXPONENT
from tests.oracle.model import Capture, Event


@dataclass(frozen=True)
class Order:
    """`first` is its earliest capture (person, channel, session, time), `content` that of the highest version (H50)."""

    first: Event
    content: Event
    cancel: Event | None
    refunds: tuple[Event, ...]

    @property
    def capture(self) -> Capture:
        """Lines, total, currency: those of the highest version."""
        assert self.content.capture
        return self.content.capture


@dataclass(frozen=True)
class Adjustment:
    """What a cancel or refund took: of the total, and of each line's paid amount; minor units."""

    event: Event
    amount: int
    lines: tuple[int, ...]


def orders_of(events: Sequence[Event]) -> list[Order]:
    """Every order with a capture; cancels and refunds of other orders wait and count nowhere (H55)."""
    by_order: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        if event.topic == "order":
            by_order.setdefault((event.store_id, event.order_id), []).append(event)
    orders = []
    for found in by_order.values():
        found.sort(key=lambda event: (event.at, event.event_id))
        captures = [event for event in found if event.type == "captured"]
        if not captures:
            continue
        # max() keeps the first of equals: the same version twice is a repeat, not an update.
        content = max(captures, key=lambda event: event.capture.order_version if event.capture else 0)
        cancels = [event for event in found if event.type == "canceled"]
        refunds: dict[str, Event] = {}
        for event in found:
            if event.type == "refunded":
                refunds.setdefault(event.refund_id, event)  # H54: the earliest counts
        orders.append(Order(captures[0], content, cancels[0] if cancels else None, tuple(refunds.values())))
    return orders


def spread(amount: int, weights: Sequence[int]) -> list[int]:
    """H52's largest remainder: `amount` >= 0 over the weights (equal ones if all are zero), adding up exactly."""
    if not any(weights):
        weights = [1] * len(weights)
    exact = [Fraction(amount * weight, sum(weights)) for weight in weights]
    shares = [share.numerator // share.denominator for share in exact]
    by_fraction = sorted(range(len(weights)), key=lambda index: (shares[index] - exact[index], index))
    for index in by_fraction[: amount - sum(shares)]:
        shares[index] += 1
    return shares


def lines_paid(capture: Capture, store: Store) -> list[int]:
    """line_paid of each line: adds up to total - shipping - tax (- shipping alone with `tax_in_lines`, H62)."""
    target = capture.total - capture.shipping - (0 if store.tax_in_lines else capture.tax)
    values = [line.quantity * line.unit_price - line.discount for line in capture.lines]
    difference = sum(values) - target
    shares = spread(abs(difference), values)
    return [
        value - share if difference >= 0 else value + share
        for value, share in zip(values, shares, strict=True)
    ]


def settle(order: Order, paid: Sequence[int]) -> list[Adjustment]:
    """Refunds and the first cancel in event-time order, refunds first in a tie (H56), each with its lines (H57)."""
    exponent = EXPONENT[order.capture.currency]
    candidates = [*order.refunds, *([order.cancel] if order.cancel else [])]
    steps = sorted(
        (event for event in candidates if event.type == "canceled" or _fits(event, exponent)),
        key=lambda event: (event.at, event.type == "canceled", event.refund_id),
    )
    left_total, left = order.capture.total, list(paid)
    adjustments = []
    for event in steps:
        if event.type == "canceled":
            amount, taken = left_total, list(left)
        else:
            asked = _minor(event.amount_e4, exponent)
            amount, taken = min(asked, left_total), _line_parts(order, event, asked, left, exponent)
        left_total -= amount
        left = [rest - part for rest, part in zip(left, taken, strict=True)]
        adjustments.append(Adjustment(event, amount, tuple(taken)))
    return adjustments


def _line_parts(order: Order, refund: Event, asked: int, left: Sequence[int], exponent: int) -> list[int]:
    """What a refund takes of each line, `left` being what the lines still have (H57)."""
    taken = [0] * len(left)
    if refund.refund_lines is None:
        return spread(min(asked, sum(left)), left)
    lines = order.capture.lines
    for part in refund.refund_lines:
        targets = [index for index, line in enumerate(lines) if part.line_id and line.line_id == part.line_id]
        if not targets:
            targets = [index for index, line in enumerate(lines) if line.product_id == part.product_id]
        rest = _minor(part.amount_e4, exponent)
        for index in targets:
            step = min(rest, left[index] - taken[index])
            taken[index] += step
            rest -= step
    return taken


def _fits(refund: Event, exponent: int) -> bool:
    """H53: a refund with more digits than the order's currency has, in any of its amounts, is not applied."""
    amounts = [refund.amount_e4, *(line.amount_e4 for line in refund.refund_lines or ())]
    return all(amount % 10 ** (4 - exponent) == 0 for amount in amounts)


def _minor(amount_e4: int, exponent: int) -> int:
    factor: int = 10 ** (4 - exponent)
    return amount_e4 // factor
