"""Periods resolve as the calendar says (golden 6), and changes read as section 6 and H104 have them."""

from datetime import date
from fractions import Fraction

import pytest

from tests.golden.period_cases import PERIOD_CASES, PeriodCase, utc
from tests.oracle.metrics.cells import Cell, Cells
from tests.oracle.metrics.report import Change, change_of
from tests.oracle.periods import Span, resolve_period


def span_of(span: Span | None) -> tuple[str, str] | None:
    """First and last date as texts."""
    return (span.first.isoformat(), span.last.isoformat()) if span else None


@pytest.mark.parametrize("case", PERIOD_CASES, ids=lambda case: f"{case.period} {case.current}")
def test_a_period_resolves_to_the_dates_of_the_calendar(case: PeriodCase) -> None:
    first, last = case.dates or (None, None)
    period = resolve_period(
        case.period, case.zone, case.as_of, first=first, last=last, literal=case.literal, shift=case.shift
    )
    assert span_of(period.current) == case.current
    assert span_of(period.previous) == case.previous
    assert period.empty == (case.current is None)
    assert period.clamped == case.clamped
    if case.instants:
        assert period.current
        assert period.previous
        found = (period.current.start, period.current.end, period.previous.start, period.previous.end)
        assert found == case.instants


def test_a_reversed_range_is_an_error() -> None:
    with pytest.raises(ValueError, match="is after"):
        resolve_period("custom", "UTC", utc("2024-01-24"), first=date(2024, 1, 20), last=date(2024, 1, 19))


SUMS = {
    (5, 0): Change(5, 0, None, None, "new"),
    (0, 0): Change(0, 0, None, None, "flat"),
    (7, 7): Change(7, 7, Fraction(0), None, "flat"),
    (50, 100): Change(50, 100, Fraction(-50), None, "down"),
    # Net revenue was below zero: |previous| keeps the sign of the change.
    (30, -10): Change(30, -10, Fraction(400), None, "up"),
    (-30, -10): Change(-30, -10, Fraction(-200), None, "down"),
    (0, 4): Change(0, 4, Fraction(-100), None, "down"),
}


@pytest.mark.parametrize(("pair", "change"), SUMS.items())
def test_a_change_of_a_sum(pair: tuple[int, int], change: Change) -> None:
    cell = Cell("net_revenue", "", "EUR")
    assert change_of(cell, {cell: pair[0]}, {cell: pair[1]}) == change


def test_a_currency_of_one_period_alone_was_zero_in_the_other() -> None:
    cell = Cell("total_revenue", "", "JPY")
    assert change_of(cell, {cell: 5}, {}) == Change(5, 0, None, None, "new")
    average = Cell("average_ticket", "", "JPY")
    assert change_of(average, {average: Fraction(5)}, {}) == Change(Fraction(5), None, None, None, None)


def test_a_ratio_changes_in_points_and_in_percent() -> None:
    cell = Cell("bounce_rate")
    cells = {cell: Fraction(30)}, {cell: Fraction(40)}
    assert change_of(cell, *cells) == Change(Fraction(30), Fraction(40), Fraction(-25), Fraction(-10), "down")
    new = change_of(cell, cells[0], {cell: Fraction(0)})
    assert new == Change(Fraction(30), Fraction(0), None, Fraction(30), "new")


def test_the_recommendation_rate_changes_by_what_has_matured() -> None:
    rate = Cell("recommendation_conversion_rate")
    matured = Cell("recommendation_conversion_rate:matured")
    current: Cells = {rate: Fraction(10), matured: None}
    previous: Cells = {rate: Fraction(20), matured: Fraction(20)}
    assert change_of(rate, current, previous) == Change(Fraction(10), Fraction(20), None, None, None)
    current[matured] = Fraction(40)
    change = change_of(rate, current, previous)
    assert change == Change(Fraction(10), Fraction(20), Fraction(100), Fraction(20), "up")
