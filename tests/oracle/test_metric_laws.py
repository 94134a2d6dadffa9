"""What must hold of any report: sums that add up, parts that make the whole, and no order of arrival in any number."""

from collections.abc import Iterator
from datetime import date, timedelta
from fractions import Fraction

import pytest

from tests.oracle.calendar import date_of
from tests.oracle.definitions import definitions_of
from tests.oracle.metrics.cells import Cell, Cells
from tests.oracle.metrics.facts import StoreFacts, facts_of
from tests.oracle.metrics.report import channels, daily, report, value_of
from tests.oracle.periods import Span, resolve_period
from tests.oracle.verdicts import judge
from tests.worlds import World, random_world

DAY_MS = 86_400_000


def metric_world(seed: int) -> World:
    """A world with everything in it."""
    return random_world(seed, most_stories=60, identity=True, metrics=True)


def facts_in(world: World) -> dict[str, StoreFacts]:
    """The facts of its stores."""
    _, events = judge(world.records, world.stores)
    return facts_of(events, world.stores, definitions_of(world.records, world.stores), world.oracle_rates)


def whole_span(facts: StoreFacts) -> tuple[Span, int]:
    """Every date of the store's events, and an instant after all of them."""
    instants = [event.at for session in facts.sessions for event in session.members]
    instants += [event.at for execution in facts.executions for event in execution.events]
    instants += [purchase.at for purchase in facts.purchases]
    instants += [step.event.at for purchase in facts.purchases for step in purchase.adjustments]
    if not instants:
        instants = [0]
    zone, as_of = facts.store.zone, max(instants) + 2 * DAY_MS
    first, last = (date_of(at, zone) for at in (min(instants), max(instants)))
    span = resolve_period("custom", zone, as_of, first=first, last=last).current
    assert span
    return span, as_of


def reports(seed: int) -> Iterator[tuple[StoreFacts, Span, int, Cells]]:
    """Of each store of a world: everything over all its days."""
    for facts in facts_in(metric_world(seed)).values():
        span, as_of = whole_span(facts)
        yield facts, span, as_of, report(facts, span, as_of)


def of(cells: Cells, metric: str) -> dict[tuple[str, str], int | Fraction | None]:
    """(dimension value, currency) -> value of a metric."""
    return {(cell.value, cell.currency): value for cell, value in cells.items() if cell.metric == metric}


def number(cells: Cells, metric: str, currency: str = "") -> int | Fraction:
    """A total."""
    return value_of(Cell(metric, "", currency), cells) or 0


@pytest.mark.parametrize("seed", range(40))
def test_parts_make_the_whole(seed: int) -> None:
    for facts, span, as_of, cells in reports(seed):
        for (_, currency), paid in of(cells, "line_paid:all").items():
            parts = [f"recommendation_{credit}_revenue" for credit in ("direct", "assisted")]
            both = sum(number(cells, part, currency) for part in parts)
            assert both + number(cells, "unattributed_revenue", currency) == paid
            # H74: the add of a direct line is an interaction.
            assert number(cells, "recommendation_assisted_revenue_inclusive", currency) == both
            for part in (*parts, *(f"{part}_net" for part in parts)):
                for by in ("widget_id", "strategy", "placement", "product_id"):
                    cut = of(report(facts, span, as_of, by=by), part)
                    assert sum(value or 0 for (_, unit), value in cut.items() if unit == currency) == number(
                        cells, part, currency
                    )
        new, back = (number(cells, f"total_{who}_users") for who in ("new", "returning"))
        assert new + back == number(cells, "total_users")
        if number(cells, "channel_sessions"):
            assert cells[Cell("human_support_pct")] == 100 - number(cells, "self_service_pct")
        else:
            assert cells[Cell("human_support_pct")] is cells[Cell("self_service_pct")] is None
        for currency in {unit for _, unit in of(cells, "total_revenue")}:
            gone = sum(number(cells, f"{how}_revenue", currency) for how in ("canceled", "refunded"))
            assert number(cells, "net_revenue", currency) == number(cells, "total_revenue", currency) - gone
            assert number(cells, "net_revenue", currency) >= 0


ADDITIVE = (
    *("total_sessions", "personalized_sessions", "personalization_conversions", "total_orders"),
    *("recommendation_sessions", "recommended_product_purchases", "recommended_units", "journeys_started"),
    *("journeys_completed", "journeys_canceled", "journey_notifications_sent", "channel_sessions"),
    # Not the users, but the new ones: everybody is new on one day (H107).
    *("live_support_sessions", "self_service_sessions", "total_new_users", "canceled_orders"),
)


@pytest.mark.parametrize("seed", range(0, 40, 5))
def test_days_and_channels_add_up_to_the_period(seed: int) -> None:
    for facts, span, as_of, cells in reports(seed):
        if span.last - span.first > timedelta(days=60):
            continue  # a day at a time over a whole history takes long and shows no more
        days = daily(facts, span, as_of)
        by_channel = [report(facts, span, as_of, channel=channel) for channel in channels(facts)]
        for metric in ADDITIVE:
            assert sum(number(day, metric) for day in days.values()) == number(cells, metric), metric
            if metric != "total_new_users":
                assert sum(number(cut, metric) for cut in by_channel) == number(cells, metric), metric


@pytest.mark.parametrize("seed", range(0, 40, 5))
def test_no_number_depends_on_the_order_of_arrival(seed: int) -> None:
    world = metric_world(seed)
    straight = {store_id: report(found, *whole_span(found)) for store_id, found in facts_in(world).items()}
    again = facts_in(world.arriving(seed, partitions=3))
    assert straight == {store_id: report(found, *whole_span(found)) for store_id, found in again.items()}


def test_metric_worlds_make_every_metric_speak() -> None:
    """Each metric is more than nothing somewhere, and each ratio is neither nothing nor all."""
    quiet: set[str] = set()
    loud: set[str] = set()
    for facts, span, as_of in (
        (found, *whole_span(found)) for seed in range(200) for found in facts_in(metric_world(seed)).values()
    ):
        middle = span.first + (span.last - span.first) // 2
        last_part = resolve_period("custom", facts.store.zone, span.end, first=middle, last=span.last).current
        assert last_part
        for cells in (report(facts, span, as_of), report(facts, last_part, as_of - 2 * DAY_MS + 1)):
            for cell, value in cells.items():
                (loud if value and (not isinstance(value, Fraction) or value != 100) else quiet).add(
                    cell.metric
                )
    assert quiet - loud == set()
    assert len({metric for metric in loud if ":" not in metric}) >= 60


def test_histories_reach_back_for_months() -> None:
    spans = [span for seed in range(60) for _, span, _, _ in reports(seed)]
    assert any(span.last - span.first > timedelta(days=300) for span in spans)
    assert date(2026, 3, 29) in {span.first for span in spans} | {span.last for span in spans}
