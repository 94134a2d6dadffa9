"""What was taken back from an order: refunds and the first cancel, applied in event-time order (decisions H56, H57)."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec import Struct

from processors.money import spread


class RefundLine(Struct, array_like=True, gc=False):
    """A part of a refund that names a line. `amount_e4` is 10^-4 major units."""

    line_id: str
    product: str
    amount_e4: int


class Refund(Struct, array_like=True, gc=False):
    """A refund as it was sent. `lines` None: not itemised; an empty list: shipping or goodwill only."""

    refund_id: str
    at: int
    event_id: str
    amount_e4: int
    lines: list[RefundLine] | None


class Adjustment(NamedTuple):
    """One refund or the cancel, applied. `amount`: taken of the total; `lines`: taken of each line's paid amount."""

    kind: str
    refund_id: str
    at: int
    amount: int
    lines: list[int]


def settle(
    *,
    total: int,
    paid: Sequence[int],
    line_ids: Sequence[str],
    products: Sequence[str],
    exponent: int,
    refunds: Iterable[Refund],
    canceled_at: int | None,
) -> list[Adjustment]:
    """Refunds and cancel applied to an order of `total` with `paid` lines, minor units.

    A refund whose digits do not fit the currency is left out (H53). No sum falls below zero.
    """
    steps = [(refund.at, 0, refund.refund_id, refund) for refund in refunds]
    ordered: list[tuple[int, int, str, Refund | None]] = sorted(steps, key=lambda step: step[:3])
    if canceled_at is not None:
        ordered.append((canceled_at, 1, "", None))
        ordered.sort(key=lambda step: step[:3])
    left, left_lines = total, list(paid)
    adjustments = []
    for at, _, refund_id, refund in ordered:
        if refund is None:
            adjustments.append(Adjustment("cancel", "", at, left, left_lines))
            left, left_lines = 0, [0] * len(left_lines)
            continue
        minor = _in_minor_units(refund, exponent)
        if minor is None:
            continue
        amount, itemised = minor
        taken = min(amount, left)
        reversed_lines = _reverse(amount, itemised, refund, left_lines, line_ids, products)
        left -= taken
        left_lines = [have - gone for have, gone in zip(left_lines, reversed_lines, strict=True)]
        adjustments.append(Adjustment("refund", refund_id, at, taken, reversed_lines))
    return adjustments


def _in_minor_units(refund: Refund, exponent: int) -> tuple[int, list[int]] | None:
    unit = 10 ** (4 - exponent)
    amounts = [refund.amount_e4, *(line.amount_e4 for line in refund.lines or ())]
    if any(amount % unit for amount in amounts):
        return None
    return amounts[0] // unit, [amount // unit for amount in amounts[1:]]


def _reverse(
    amount: int,
    itemised: list[int],
    refund: Refund,
    left: list[int],
    line_ids: Sequence[str],
    products: Sequence[str],
) -> list[int]:
    if refund.lines is None:
        # Shipping last: what the lines can't bear is shipping.
        return spread(min(amount, sum(left)), left) if any(left) else [0] * len(left)
    gone = [0] * len(left)
    for part, line_amount in zip(refund.lines, itemised, strict=True):
        chosen = [i for i, line_id in enumerate(line_ids) if part.line_id and line_id == part.line_id]
        if not chosen:
            chosen = [i for i, product in enumerate(products) if product == part.product]
        for i in chosen:
            take = min(line_amount, left[i] - gone[i])
            gone[i] += take
            line_amount -= take
    return gone
