"""Journeys, notifications and gauges (M3 to M5, M22 to M26), against values worked out by hand."""

from fractions import Fraction
from typing import Any

import pytest

from dashboard.asking import AskError
from tests.dashboard.asking import Desk
from tests.sinks.making import at, date, definition, journey, notification, served, session, watermark


def started(execution: str, day: int, partition: int = 0, **fields: Any) -> Any:
    """An execution that began on a day of January."""
    begun = {
        "started_at": at(day),
        "start_event_id": f"start-{execution}-{partition}",
        "start_date": date(day),
        "journey_id": "welcome",
        "journey_version": "7",
        "channel": "whatsapp",
        "first_at": at(day),
        "last_at": at(day),
    }
    return journey(execution, partition, **{**begun, **fields})


def ended(day: int, kind: str, hour: int = 10) -> dict[str, Any]:
    """Fields of a terminal node."""
    return {"terminal_at": at(day, hour), "terminal_kind": kind, "terminal_date": date(day)}


async def test_an_execution_is_whole_though_its_parts_lie_in_two_partitions(desk: Desk) -> None:
    await desk.fill(
        started("x1", 2, goal_at=at(9)),
        started("x1", 3, partition=1, journey_version="8"),  # the second start counts nowhere
        journey("x1", 2, **ended(5, "cancel")),
        journey("x1", 3, **ended(5, "end")),  # in the same ms: `end`
        started("x2", 2, **ended(4, "cancel")),
        journey("x3", 0, first_journey_id="other", **ended(4, "end")),  # never started
        started("x4", 2),
    )
    names = ("journeys_started", "journeys_completed", "journeys_canceled")
    days = ((2, (3, 0, 0)), (3, (0, 0, 0)), (4, (0, 1, 1)), (5, (0, 1, 0)))
    for day, told in days:
        found = await desk.numbers(*names, first=day, last=day)
        assert tuple(found[name] for name in names) == told, day
    rate = (await desk.ask("journey_conversion_rate", first=2, last=2)).one("journey_conversion_rate")
    assert (rate.current, rate.is_provisional) == (Fraction(100, 3), True)  # x4 is open
    assert await desk.numbers(*names, first=1, last=9, by=("journey_id", "journey_version")) == {
        ("journeys_started", "welcome", "7"): 3,
        ("journeys_completed", "welcome", "7"): 1,
        ("journeys_completed", "other", ""): 1,
        ("journeys_canceled", "welcome", "7"): 1,
    }
    assert await desk.numbers(*names, first=1, last=9, channel="whatsapp") == dict(
        zip(names, (3, 1, 1), strict=True)
    )


async def test_a_communication_counts_once_with_its_first_send(desk: Desk) -> None:
    await desk.fill(
        notification("m1", day=2),
        notification("m1", "c:bob", day=1, notification_channel="push"),
        notification("m2", day=2, journey_id="other"),
    )
    name = "journey_notifications_sent"
    assert await desk.numbers(name) == {name: 1}
    assert await desk.numbers(name, first=2, last=2) == {name: 1}
    assert await desk.numbers(name, first=1, last=2, by=("notification_channel", "journey_id")) == {
        (name, "push", "welcome"): 1,
        (name, "email", "other"): 1,
    }


async def test_gauges_say_what_is_defined_now(desk: Desk) -> None:
    await desk.fill(
        definition("experience", "e1", at(1), "active"),
        definition("experience", "e1", at(3), "paused"),
        definition("experience", "e2", at(2), "active"),
        definition("experience", "e3", at(2), "running"),  # no word of experiences
        definition("ab_test", "t1", at(1), "running"),
        definition("journey", "j1", at(4), "active"),
        session("c:a", "s:1", **served(("e7", "", "t7", 2))),
        started("x1", 1),
        started("x2", 1, **ended(2, "end")),
    )
    names = ("active_experiences", "running_ab_tests", "active_journeys", "journey_executions_in_progress")

    async def at_instant(as_of: int) -> list[tuple[Any, bool]]:
        values = (await desk.ask(*names, as_of=as_of, channel="app")).values
        assert {(each.previous, each.change_pct, each.state) for each in values} == {(None, None, None)}
        return [(each.current, each.inferred) for each in values]

    # No journey is defined yet: what was seen in the last day is counted, and nothing was.
    assert await at_instant(at(2, 12)) == [(2, False), (1, False), (0, True), (1, False)]
    assert await at_instant(at(4)) == [(1, False), (1, False), (1, False), (1, False)]
    # Before the first definition of experiences and tests.
    assert await at_instant(at(1)) == [(1, False), (1, False), (0, True), (0, False)]


async def test_gauges_of_a_store_that_defines_nothing_are_inferred(desk: Desk) -> None:
    both = served(("e1", "", "t1", 2), ("e2", "", "", 2))
    await desk.fill(session("c:a", "s:1", **both), started("x1", 2))
    names = ("active_experiences", "running_ab_tests", "active_journeys")
    for as_of, told in ((at(2, 12), [2, 1, 1]), (at(3, 11), [0, 0, 0]), (at(2), [0, 0, 0])):
        values = (await desk.ask(*names, as_of=as_of)).values
        assert [each.current for each in values] == told, as_of
        assert all(each.inferred for each in values)


async def test_data_as_of_is_the_slowest_busy_partition_or_past_the_last_event(desk: Desk) -> None:
    assert (await desk.ask("total_sessions", as_of=None)).data_as_of == 0
    await desk.fill(watermark(0, at(3)), watermark(1, at(2)), watermark(2, at(1), idle=1))
    assert (await desk.ask("total_sessions", as_of=None)).data_as_of == at(2)
    # Nothing is pending anywhere: the last event itself is complete too.
    await desk.fill(watermark(0, at(3), idle=1, version=2), watermark(1, at(2), idle=1, version=2))
    found = await desk.ask("total_sessions", as_of=None)
    assert (found.data_as_of, found.as_of_past) == (at(3) + 1, False)
    assert (await desk.ask("total_sessions", as_of=at(1))).as_of_past


async def test_what_can_not_be_asked_is_refused_with_what_can(desk: Desk) -> None:
    with pytest.raises(AskError, match="configured: acme, geneva, madrid, tokio"):
        await desk.ask("total_sessions", store="nobody")
    with pytest.raises(AskError, match="metric revenue is not known"):
        await desk.ask("revenue")
    with pytest.raises(AskError, match="total_sessions can't be told apart by widget_id"):
        await desk.ask("total_sessions", by=("widget_id",))
    with pytest.raises(AskError, match="no metric can be told apart by colour"):
        await desk.ask(by=("colour",))
