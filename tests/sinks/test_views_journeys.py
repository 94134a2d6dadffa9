"""The views of goals, experiences, journeys, notifications and definitions, over rows made by hand."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.sinks.making import (
    at,
    date,
    definition,
    goals,
    journey,
    notification,
    served,
    session,
    watermark,
)
from tests.sinks.reading import Warehouse


def instant(day: int, hour: int = 10) -> datetime:
    """UTC, as the client gives it back."""
    return datetime(2026, 1, day, hour, tzinfo=UTC).replace(tzinfo=None)


NEVER = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)


@pytest.fixture(autouse=True)
def _empty(warehouse: Warehouse) -> Iterator[None]:
    yield
    warehouse.empty()


async def test_each_experience_of_a_session_is_a_row(warehouse: Warehouse) -> None:
    await warehouse.fill(
        session("c:ann", **served(("e1", "a", "t1", 1), ("e1", "b", "", 2), ("e2", "", "", 2))),
        session("c:bob"),
    )
    assert warehouse.rows(
        "SELECT person, experience_id, variant_id, test_id, first_at, last_at FROM experience_served"
        " ORDER BY ALL"
    ) == [
        ("c:ann", "e1", "a", "t1", instant(1), instant(1, 11)),
        ("c:ann", "e1", "b", "", instant(2), instant(2, 11)),
        ("c:ann", "e2", "", "", instant(2), instant(2, 11)),
    ]
    assert warehouse.rows("SELECT person, experiences, personalized FROM session ORDER BY person") == [
        ("c:ann", ["e1", "e2"], 1),
        ("c:bob", [], 0),
    ]


async def test_a_goal_goes_to_the_experience_it_names_else_to_all_served_before_it(
    warehouse: Warehouse,
) -> None:
    reached = goals(("quiz", "e9", 1, 1050), ("quiz", "", 1, None), ("quiz", "", 2, 0), ("quiz", "", 3, None))
    await warehouse.fill(
        session("c:ann", **served(("e1", "a", "", 2), ("e1", "b", "", 2), ("e2", "", "", 3)), **reached)
    )
    assert warehouse.rows(
        "SELECT event_id, reached_at, experiences, valued, value, value_minor, currency FROM goal ORDER BY event_id"
    ) == [
        ("goal-0", instant(1), ["e9"], 1, Decimal("10.5"), 1050, "EUR"),
        ("goal-1", instant(1), [], 0, Decimal(0), 0, "EUR"),
        ("goal-2", instant(2), ["e1"], 1, Decimal(0), 0, "EUR"),  # the same ms counts
        ("goal-3", instant(3), ["e1", "e2"], 0, Decimal(0), 0, "EUR"),
    ]
    assert warehouse.value("SELECT store_date FROM goal WHERE event_id = 'goal-3'") == instant(3).date()
    assert warehouse.value("SELECT any(session_date) FROM goal") == instant(1).date()


STARTED = {"journey_id": "welcome", "journey_version": "7", "channel": "app"}


async def test_an_execution_is_put_together_from_its_partitions(warehouse: Warehouse) -> None:
    await warehouse.fill(
        # The earlier `started` is in partition 1, the earliest event, the goal and the end are in partition 0.
        journey("x1", 0, started_at=at(3), start_event_id="s2", start_date=date(3), **STARTED, goal_at=at(5),
                last_at=at(6), terminal_at=at(6), terminal_kind="end", terminal_date=date(6)),
        journey("x1", 1, started_at=at(2), start_event_id="s1", start_date=date(2), journey_id="other",
                journey_version="", channel="sms", first_at=at(2), last_at=at(7), terminal_at=at(6),
                terminal_kind="cancel", terminal_date=date(6)),
        # No start at all: journey and channel of the earliest event.
        journey("x2", 0, first_at=at(4), first_journey_id="late", first_channel="web"),
        journey("x2", 3, first_at=at(3), first_journey_id="early", first_channel="push", terminal_at=at(9),
                terminal_kind="cancel", terminal_date=date(9)),
    )  # fmt: skip
    assert warehouse.rows(
        "SELECT execution_id, journey_id, journey_version, channel, is_started, started_at, toString(start_date),"
        " first_at, last_at, terminal_kind, terminal_at, is_converted, goal_at FROM journey_executions ORDER BY 1"
    ) == [
        ("x1", "other", "", "sms", 1, instant(2), "2026-01-02", instant(1), instant(7), "end", instant(6), 1,
         instant(5)),
        ("x2", "early", "", "push", 0, NEVER, "1970-01-01", instant(3), instant(1), "cancel", instant(9), 0, NEVER),
    ]  # fmt: skip


async def test_a_communication_counts_once_as_it_was_sent_first(warehouse: Warehouse) -> None:
    await warehouse.fill(
        notification("m1", "c:bob", 3, notification_channel="sms"),
        notification("m1", "c:ann", 2),
        notification("m1", "c:ann", 5),
        notification("m2", "c:ann", 1),
        notification("m2", "c:ann", 1, version=2, is_deleted=1),
        notification("m2", "c:bob", 4),
    )
    assert warehouse.rows(
        "SELECT communication_id, person, sent_at, notification_channel FROM notification ORDER BY 1"
    ) == [("m1", "c:ann", instant(2), "email"), ("m2", "c:bob", instant(4), "email")]
    assert warehouse.value("SELECT count() FROM notification_sends") == 4


async def test_a_definition_waits_until_it_takes_effect(warehouse: Warehouse) -> None:
    await warehouse.fill(
        definition("experience", "e1", at(1), "active", name="One"),
        definition("experience", "e1", at(2), "paused", name="Uno"),
        definition("experience", "e1", at(9), "ended"),
        definition("ab_test", "t1", at(1), "running", version=1),
        definition("ab_test", "t1", at(1), "", version=2, is_deleted=1),
        definition("goal", "g1", at(8), ""),
        watermark(0, at(8)),
    )
    assert warehouse.rows("SELECT kind, id, status, name, effective_at FROM definition ORDER BY ALL") == [
        ("experience", "e1", "paused", "Uno", instant(2)),
        ("goal", "g1", "", "", instant(8)),
    ]
