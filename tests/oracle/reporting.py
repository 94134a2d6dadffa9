"""What an order comes to in its store's reporting currency, by Decimal and Fraction (E4; docs/stores.md)."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

from schemas.stores import Store
from tests.oracle.calendar import date_of
from tests.oracle.currencies import EXPONENT
from tests.oracle.orders import Adjustment, Order, spread

EXACT = Context(prec=90, rounding=ROUND_HALF_EVEN)
Rates = Mapping[tuple[date, str, str], Decimal]
"""(day, from, to) -> what one is worth."""
NO_RATES: Rates = {}


@dataclass(frozen=True)
class Reported:
    """Amounts in minor units of `currency`. `rate` None: none is known of the order's day, all amounts are 0."""

    currency: str
    rate: Decimal | None
    total: int
    paid: tuple[int, ...]
    taken: tuple[int, ...]
    """Of each adjustment."""
    lines_taken: tuple[tuple[int, ...], ...]
    """Of each adjustment and line."""

    @property
    def exponent(self) -> int:
        """Digits of its minor unit; 0 where nothing is reported."""
        return EXPONENT[self.currency] if self.currency else 0


def read_rates(text: str) -> dict[tuple[date, str, str], Decimal]:
    """The file as the operator writes it."""
    return {
        (date.fromisoformat(row["day"]), row["currency"], row["reporting_currency"]): Decimal(row["rate"])
        for row in csv.DictReader(io.StringIO(text))
    }


def reported(
    order: Order, paid: Sequence[int], adjustments: Sequence[Adjustment], store: Store, rates: Rates
) -> Reported:
    """At the rate of the order's day: the total rounded once, lines by largest remainder, what was taken back so far."""
    own, into = order.capture.currency, store.reporting_currency
    rate = Decimal(1) if own == into else rates.get((date_of(order.first.at, store.zone), own, into))
    if not into or rate is None:
        nothing = (0,) * len(paid)
        return Reported(into, None, 0, nothing, (0,) * len(adjustments), (nothing,) * len(adjustments))

    def converted(minor: int) -> int:
        assert rate is not None
        amount = EXACT.multiply(EXACT.scaleb(Decimal(minor), -EXPONENT[own]), rate)
        rounded = EXACT.quantize(amount, Decimal(1).scaleb(-EXPONENT[into]))
        return int(EXACT.scaleb(rounded, EXPONENT[into]))

    total = converted(order.capture.total)
    lines = spread(total, [*paid, order.capture.total - sum(paid)])[:-1]
    taken, lines_taken = [], []
    before, lines_before = 0, [0] * len(paid)
    for number in range(1, len(adjustments) + 1):
        so_far = converted(sum(step.amount for step in adjustments[:number]))
        lines_so_far = [
            _share(sum(step.lines[index] for step in adjustments[:number]), paid[index], lines[index])
            for index in range(len(paid))
        ]
        taken.append(so_far - before)
        lines_taken.append(tuple(now - then for now, then in zip(lines_so_far, lines_before, strict=True)))
        before, lines_before = so_far, lines_so_far
    return Reported(into, rate, total, tuple(lines), tuple(taken), tuple(lines_taken))


def _share(gone: int, paid: int, of: int) -> int:
    """That part of `of` which `gone` is of `paid`."""
    return round(Fraction(of * gone, paid)) if paid else 0


def rate_text(rate: Decimal | None) -> str:
    """A rate without needless zeros; empty for none."""
    return "" if rate is None else f"{rate.normalize():f}"
