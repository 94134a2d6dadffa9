"""An order's amounts in its store's reporting currency, at the rate of the order's day (metrics E4).

The total is converted once and rounded half to even, so whoever has the rate can check it by one multiplication. Lines,
and shipping and tax together, get their shares of it by largest remainder (decisions H52): lines add up to what is
reported for them, in every sum. What is taken back is converted as far as it has come, less what was there before: an
order that is taken back whole, in however many steps, leaves nothing.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from processors.money import half_even, spread
from processors.settlement import Adjustment
from schemas.rates import Rate

LARGEST: Final = 2**63 - 1


class Reported(NamedTuple):
    """The reporting columns of an order's row, in their order. Money in minor units of the reporting currency."""

    currency: str
    exponent: int
    rate: str
    reported: int
    total: int
    paid: list[int]
    adjustment_amount: list[int]
    adjustment_lines: list[list[int]]


def unreported(
    lines: int, adjustments: int, *, currency: str = "", exponent: int = 0, rate: str = ""
) -> Reported:
    """Of an order without amounts in the reporting currency: the arrays have the lengths of those beside them."""
    nothing = [[0] * lines for _ in range(adjustments)]
    return Reported(currency, exponent, rate, 0, 0, [0] * lines, [0] * adjustments, nothing)


def reported(
    *,
    total: int,
    paid: Sequence[int],
    exponent: int,
    adjustments: Sequence[Adjustment],
    rate: Rate,
    currency: str,
    reporting_exponent: int,
) -> Reported:
    """An order of `total` with `paid` lines, in minor units of a currency with `exponent`, at `rate`.

    An amount that no column holds is left out like one without a rate.
    """
    numerator, denominator = rate.numerator * 10**reporting_exponent, 10 ** (rate.scale + exponent)
    whole = half_even(total * numerator, denominator)
    if whole > LARGEST:
        return unreported(
            len(paid), len(adjustments), currency=currency, exponent=reporting_exponent, rate=rate.text
        )
    *lines, _ = spread(whole, [*paid, total - sum(paid)])
    taken = accumulate(step.amount for step in adjustments)
    amounts = _steps([half_even(amount * numerator, denominator) for amount in taken])
    of_lines = [
        _steps([half_even(amount * of, line) if line else 0 for amount in accumulate(steps)])
        for line, of, steps in zip(
            paid, lines, zip(*(step.lines for step in adjustments), strict=True), strict=False
        )
    ]
    by_step = [list(step) for step in zip(*of_lines, strict=True)]
    return Reported(currency, reporting_exponent, rate.text, 1, whole, lines, amounts, by_step)


def _steps(reached: Sequence[int]) -> list[int]:
    return [now - before for now, before in zip(reached, [0, *reached], strict=False)]
