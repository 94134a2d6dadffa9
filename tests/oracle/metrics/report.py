"""All metrics of a store for a period, the daily series, and the change against the previous period."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

from tests.oracle.calendar import dates, instant
from tests.oracle.metrics.cells import Cell, Cells, Scope, Value
from tests.oracle.metrics.customers import customer_base, monthly
from tests.oracle.metrics.facts import StoreFacts
from tests.oracle.metrics.journeys import gauges, journeys
from tests.oracle.metrics.personalization import personalization
from tests.oracle.metrics.recommendations import recommendations
from tests.oracle.metrics.reporting import reporting
from tests.oracle.metrics.sales import sales
from tests.oracle.metrics.visits import visits
from tests.oracle.periods import Period, Span

PERIODIC: tuple[Callable[[Scope], Cells], ...] = (
    *(visits, sales, personalization, recommendations, reporting, journeys),
)
STANDING: tuple[Callable[[Scope], Cells], ...] = (gauges, customer_base)
PERCENT_MARKS = ("_pct", "_rate", "_ctr", "_share", "_share_of_base")
RATIOS = (
    *("average_conversion_per_user", "average_ticket", "items_per_order", "average_price_per_item"),
    "personalization_aov",
)


def report(
    facts: StoreFacts,
    span: Span,
    as_of: int,
    *,
    channel: str | None = None,
    by: str | None = None,
) -> Cells:
    """Every metric of a span. `by`: a dimension of metrics.md, or `channel`; metrics without it are left out.

    A count or sum that is not there is 0, a ratio that is not there is None.
    """
    scope = Scope(facts, span.start, span.end, as_of, channel, by)
    if by == "channel":
        cells = measured(facts, span, as_of, channel=channel, by=by)
        for name in _asked_channels(facts, channel):
            alone = replace(scope, channel=name, by=None)
            base = customer_base(alone) | monthly(alone, span.first, span.last)
            cells |= {_below(cell, name): value for cell, value in base.items()}
        return cells
    cells = of_scope(scope)
    for standing in STANDING:
        cells |= standing(scope)
    return cells | monthly(scope, span.first, span.last)


def measured(
    facts: StoreFacts, span: Span, as_of: int, *, channel: str | None = None, by: str | None = None
) -> Cells:
    """The metrics of a span that belong to a period: without gauges and the customer base."""
    if by == "channel":
        return _by_channel(facts, span, as_of, channel)
    return of_scope(Scope(facts, span.start, span.end, as_of, channel, by))


def of_scope(scope: Scope) -> Cells:
    """The metrics that belong to a period."""
    cells: Cells = {}
    for section in PERIODIC:
        cells |= section(scope)
    return cells


def _by_channel(facts: StoreFacts, span: Span, as_of: int, channel: str | None) -> Cells:
    """Each channel as if it were asked for alone: its first-ever sessions are those of the channel (E17)."""
    cells: Cells = {}
    for name in _asked_channels(facts, channel):
        alone = of_scope(Scope(facts, span.start, span.end, as_of, name))
        cells |= {_below(cell, name): value for cell, value in alone.items()}
    return cells


def _asked_channels(facts: StoreFacts, channel: str | None) -> list[str]:
    return [name for name in sorted(channels(facts)) if channel in (None, name)]


def _below(cell: Cell, name: str) -> Cell:
    """The cell with one more dimension's value."""
    return cell._replace(value=f"{cell.value}|{name}" if cell.value else name)


def channels(facts: StoreFacts) -> set[str]:
    """Every channel that anything of the store came through."""
    events = [event for session in facts.sessions for event in session.members]
    events += [event for execution in facts.executions for event in execution.events]
    return {event.channel for event in events} | {purchase.channel for purchase in facts.purchases}


def daily(
    facts: StoreFacts, span: Span, as_of: int, *, channel: str | None = None, by: str | None = None
) -> dict[date, Cells]:
    """Each date of the span as a period of its own (H107), cut where the span is cut."""
    zone = facts.store.zone
    series = {}
    for day in dates(span.first, span.last):
        start = instant(day, zone)
        end = min(instant(date.fromordinal(day.toordinal() + 1), zone), span.end)
        series[day] = measured(facts, Span(day, day, start, end), as_of, channel=channel, by=by)
    return series


@dataclass(frozen=True)
class Change:
    """A cell beside the previous period's. `pct` in percent, `pp` in points, of metrics in percent only (H104)."""

    current: Value
    previous: Value
    pct: Value
    pp: Value
    state: str | None


def compare_periods(
    facts: StoreFacts, period: Period, as_of: int, *, channel: str | None = None, by: str | None = None
) -> dict[Cell, Change]:
    """Every cell of the period beside the previous one; gauges and snapshots have none (H97), nor empty periods."""
    if period.current is None or period.previous is None:
        return {}
    current, previous = (
        measured(facts, span, as_of, channel=channel, by=by) for span in (period.current, period.previous)
    )
    return {
        cell: change_of(cell, current, previous) for cell in {*current, *previous} if ":" not in cell.metric
    }


def change_of(cell: Cell, current: Mapping[Cell, Value], previous: Mapping[Cell, Value]) -> Change:
    """Of M18 the change compares the matured sessions of both sides (H78), its values cover all."""
    value, before = (value_of(cell, cells) for cells in (current, previous))
    one, other = value, before
    if cell.metric == "recommendation_conversion_rate":
        matured = replace_metric(cell, f"{cell.metric}:matured")
        one, other = (value_of(matured, cells) for cells in (current, previous))
    left_out = replace_metric(cell, f"{cell.metric}:left_out")
    if one is None or other is None or value_of(left_out, current) or value_of(left_out, previous):
        return Change(value, before, None, None, None)
    pct = Fraction(100 * (one - other)) / abs(Fraction(other)) if other else None
    pp = one - other if cell.metric.endswith(PERCENT_MARKS) else None
    if one == other:
        state = "flat"
    elif other == 0:
        state = "new"
    else:
        state = "up" if one > other else "down"
    return Change(value, before, pct, pp, state)


def replace_metric(cell: Cell, metric: str) -> Cell:
    """The cell of another metric at the same place."""
    return Cell(metric, cell.value, cell.currency)


def is_ratio(metric: str) -> bool:
    """It divides: nothing there is None, not 0."""
    name = metric.split(":")[0]
    return name.endswith(PERCENT_MARKS) or name in RATIOS


def value_of(cell: Cell, cells: Mapping[Cell, Value]) -> Value:
    """A cell's value; one that is not there is 0, or None for a ratio."""
    return cells.get(cell, None if is_ratio(cell.metric) else 0)
