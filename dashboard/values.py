"""Values of a report from measured numbers: quotients, changes, states, and what is still provisional. Pure."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from dashboard.asking import Freshness, Number, State, Value
from dashboard.compiling import CURRENT, PREVIOUS
from dashboard.measured import Key, Measured, ratio
from schemas.currencies import EXPONENTS
from schemas.metrics import METRICS
from schemas.metrics.model import Metric, Unit


def values_of(
    name: str, measured: Measured, *, by: tuple[str, ...], by_currency: bool, known: Freshness
) -> Iterator[Value]:
    """The values of one metric. Told apart by dimensions, those that are 0 on both sides are left out."""
    metric = METRICS[name]
    told = metric.is_money or by_currency
    keys = measured.keys(name, by_currency=told)
    if told and not keys and not by:
        keys = [((), known.currency_of(metric))]  # nothing was sold: that is 0, not unknown
    for key in keys:
        value = _value(metric, measured, key)
        said = (value.current, value.previous, value.denominator, value.previous_denominator)
        if by and not any((*said, value.left_out, value.previous_left_out)):
            continue
        yield value


def empty_value(name: str, known: Freshness) -> Value:
    """A metric in an empty period (H103)."""
    currency = known.currency_of(METRICS[name]) if METRICS[name].is_money else None
    return Value(metric=name, currency=currency, exponent=EXPONENTS[currency] if currency else None)


def _value(metric: Metric, measured: Measured, key: Key) -> Value:
    currency = key[1]
    exponent = EXPONENTS[currency] if currency else None
    if not metric.numerator:
        now, before = (measured.number(metric.name, bucket, key) for bucket in (CURRENT, PREVIOUS))
        pct, state = change_pct(now, before), state_of(now, before)
        left, left_before = (left_out(metric, measured, bucket, key) for bucket in (CURRENT, PREVIOUS))
        if left or left_before:
            pct, state = None, None  # parts of sums: that they differ says nothing
        return Value(
            metric=metric.name,
            by=key[0],
            currency=currency,
            exponent=exponent,
            current=now,
            previous=before,
            change_pct=pct,
            state=state,
            is_provisional=bool(left),
            left_out=left,
            previous_left_out=left_before,
        )
    sides = measured.sides(metric.name, CURRENT, key)
    sides_before = measured.sides(metric.name, PREVIOUS, key)
    current, previous = ratio(metric, sides), ratio(metric, sides_before)
    compared = (current, previous)
    late = metric.maturity
    if late is not None and late.numerator:
        # Like with like: sessions that can still convert would make every comparison look like a fall (H78).
        matured = (
            measured.quotient(metric, late.numerator, late.denominator, bucket, key)
            for bucket in (CURRENT, PREVIOUS)
        )
        first, second = matured
        compared = (ratio(metric, first), ratio(metric, second))
    pending = late is not None and measured.number(late.pending, CURRENT, key) > 0
    matures_at = (
        measured.number(late.matures_at, CURRENT, key) if late and late.matures_at and pending else None
    )
    return Value(
        metric=metric.name,
        by=key[0],
        currency=currency,
        exponent=exponent,
        current=current,
        previous=previous,
        change_pct=change_pct(*compared),
        change_pp=change_pp(metric, *compared),
        state=state_of(*compared),
        numerator=sides[0],
        denominator=sides[1],
        previous_numerator=sides_before[0],
        previous_denominator=sides_before[1],
        is_provisional=pending,
        matures_at=matures_at,
    )


def left_out(metric: Metric, measured: Measured, bucket: Any, key: Key) -> int | None:
    """How many rows the value lacks; None where it never lacks any."""
    if not metric.left_out:
        return None
    return sum(measured.number(each, bucket, key) for each in metric.left_out)


def change_pct(current: Number | None, previous: Number | None) -> Fraction | None:
    """(current - previous) / |previous| in percent; None if a side is missing or the previous one is 0 (M8)."""
    if current is None or previous is None or previous == 0:
        return None
    return 100 * Fraction(current - previous) / abs(Fraction(previous))


def change_pp(metric: Metric, current: Number | None, previous: Number | None) -> Fraction | None:
    """The difference in percentage points, of a metric in percent."""
    if current is None or previous is None or metric.unit is not Unit.PERCENT:
        return None
    return Fraction(current - previous)


def state_of(current: Number | None, previous: Number | None) -> State | None:
    """H104: flat if equal, new if it comes from 0, else up or down; None if a side is missing."""
    if current is None or previous is None:
        return None
    if current == previous:
        return State.FLAT
    if previous == 0:
        return State.NEW
    return State.UP if current > previous else State.DOWN
