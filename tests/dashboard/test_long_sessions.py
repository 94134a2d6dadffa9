"""Sessions that go on for weeks (E13, H33): a row stands under the day it was born, and counts on every day it should."""

from typing import Any

from dashboard.asking import Ask
from dashboard.compiling import born_by
from dashboard.periods import Period
from dashboard.series import series
from schemas.rows import SessionRow
from schemas.stores import Store
from tests.dashboard.asking import NEW_YEAR, Desk
from tests.sinks.making import at, confirms, date, exposure, goals, order, served, session, watermark

LAST_DAY = NEW_YEAR.replace(day=31)


def talk(person: str = "c:ann", **fields: Any) -> SessionRow:
    """A session of 1 to 31 January, born on the first of them, that was served e1 at its start."""
    span = {"ended_at": at(31), "closes_at": at(32)}
    return session(person, "s:1", **{**span, **served(("e1", "", "", 1)), **fields})


async def test_what_happens_late_in_a_session_counts_on_its_own_day(desk: Desk) -> None:
    shown = {"shown_dates": [date(31)], "shown_channels": ["web"], "shown_at": [at(31)]}
    await desk.fill(
        talk(**goals(("sign", "", 31, 700)), orders=1),
        exposure("c:ann", "s:1", "top", **shown),
        order("o1", ("p1", 1, 1_000, "none", ""), day=31, born=date(31)),
    )
    names = ("personalization_conversions", "recommendation_unique_customers")
    money = ("personalization_goal_revenue", "personalization_revenue")
    told = {names[0]: 1, names[1]: 1, (money[0], "EUR"): 700, (money[1], "EUR"): 1_000}
    # Of the day alone, as it stands in the whole month.
    assert await desk.numbers(*names, *money, first=31, last=31) == told
    assert await desk.numbers(*names, *money, first=1, last=31) == told
    assert await desk.numbers(money[1], first=31, last=31, by=("experience_id",)) == {
        (money[1], "e1", "EUR"): 1_000
    }
    days: dict[str, Any] = {"period": Period.CUSTOM, "first": LAST_DAY, "last": LAST_DAY}
    found = await series(desk.client, Ask(store="acme", as_of=at(60), metrics=(*names, *money), **days))
    assert [[point.current for point in line.points] for line in found.lines] == [[1], [1], [700], [1_000]]


async def test_a_purchase_is_worth_the_order_of_its_session_however_far_they_are_apart(desk: Desk) -> None:
    await desk.fill(
        talk("c:ann", **goals(("purchase", "", 31, None)), orders=1),
        order("o1", ("p1", 1, 1_000, "none", ""), person="c:ann", day=2, born=date(2)),
        talk("c:bob", **goals(("purchase", "", 2, None)), orders=1),
        order("o2", ("p1", 1, 200, "none", ""), person="c:bob", day=31, born=date(31)),
    )
    name = "personalization_goal_revenue"
    assert await desk.numbers(name, first=31, last=31) == {(name, "EUR"): 1_000}
    assert await desk.numbers(name, first=2, last=2) == {(name, "EUR"): 200}


async def test_what_confirms_a_session_weeks_after_it_started_counts_on_that_day(desk: Desk) -> None:
    await desk.fill(
        talk(impressions=1, last_shown_at=at(31), matures_at=at(38), orders=1),
        exposure("c:ann", "s:1", "top"),
        order("o1", ("p1", 1, 1, "direct", "top"), day=31, born=date(31), **confirms("s:1", "top")),
    )
    names = ("recommendation_conversion_rate", "purchase_sessions_with_recommended_pct")
    assert await desk.numbers(*names) == dict.fromkeys(names, 100)
    assert await desk.numbers(names[0], by=("widget_id",)) == {(names[0], "top"): 100}


async def test_an_order_that_joined_after_the_last_event_finds_its_session(desk: Desk) -> None:
    # It makes the session close later, and is no event of it (H36).
    await desk.fill(
        talk(ended_at=at(18), closes_at=at(20, 9), orders=1),
        order("o1", ("p1", 1, 1_000, "none", ""), captured_at=at(19, 9), store_date=date(19), born=date(19)),
    )
    value = (await desk.ask("personalization_revenue", first=20, last=20)).one("personalization_revenue")
    assert (value.current, value.previous) == (0, 1_000)


async def test_an_experience_served_late_in_a_session_is_active_now(desk: Desk) -> None:
    """By report and by view; in a session that began 60 days ago."""
    late = served(("e1", "", "t1", 61))
    await desk.fill(
        talk(**late, ended_at=at(61, 11), closes_at=at(61, 12)),
        watermark(0, at(61, 12)),
    )
    names = ("active_experiences", "running_ab_tests")
    assert await desk.numbers(*names, as_of=at(61, 12)) == dict.fromkeys(names, 1)
    assert desk.warehouse.rows(f"SELECT {', '.join(names)} FROM gauges") == [(1, 1)]
    assert await desk.numbers(*names, as_of=at(62, 12)) == dict.fromkeys(names, 0)


def test_a_session_over_two_midnights_is_read_for_a_store_far_east_with_short_windows() -> None:
    """From 13:00 of the 1st of UTC until 20:00 of the 3rd, in Auckland the 4th: not one of `longest_session`."""
    store = Store(zone="Pacific/Auckland", attribution_window_ms=3_600_000, allowed_lateness_ms=0)
    assert born_by(store, NEW_YEAR.replace(day=4)) <= NEW_YEAR
