"""Journeys and notifications: the same rows whatever the order, the repeats, the partitions and the crashes."""

import random
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from processors import shop
from processors.flush import Flush
from processors.journeys import Journeys
from processors.notifications import Notifications
from processors.person import Tenant
from schemas.events.journey import NotificationSent
from schemas.rows import NotificationRow
from streams.engine.state.memory import MemoryStore
from tests.oracle.wire import partition_of
from tests.processors.kit import (
    HOUR,
    MINUTE,
    START,
    STORES,
    misrouted,
    record,
    run,
    shuffled_with_repeats,
    table,
)

KINDS = ("started", "node_entered", "notification_sent", "goal_reached")
# Few instants: several of one millisecond, and the New Year of the store.
TIMES = (START, START + 1, START + MINUTE, START + 7 * HOUR, START + 7 * HOUR - 1, START + 20 * HOUR)


def random_event(number: int, chance: random.Random) -> dict[str, Any]:
    kind = chance.choice(KINDS)
    person = chance.choice(
        ({"customer_id": "ann"}, {"anonymous_id": "ann"}, {"customer_id": "bob"}, {"anonymous_id": "d"})
    )
    event: dict[str, Any] = {
        "event_id": f"{chance.randint(0, 9)}-{number}",
        "type": kind,
        "store_id": chance.choice(tuple(STORES)),
        "occurred_at": chance.choice(TIMES),
        "journey_id": chance.choice(("welcome", "win-back")),
        "execution_id": chance.choice(("x1", "x1", "x2")),
        "channel": chance.choice(("web", "whatsapp")),
        "session_id": "s-1",
        **person,
    }
    match kind:
        case "started":
            event["journey_version"] = chance.choice((None, 3, "v4"))
        case "node_entered":
            event |= {"node_id": "n", "node_type": chance.choice(("end", "cancel", "action", "wait"))}
        case "notification_sent":
            event |= {
                "communication_id": chance.choice(("m1", "m2")),
                "notification_channel": chance.choice(("email", "sms")),
            }
        case "goal_reached":
            event |= {"goal_id": "g", "value": 12}
    return event


def day(event: dict[str, Any]) -> int:
    zone = ZoneInfo(STORES[event["store_id"]].zone)
    at = datetime.fromtimestamp(event["occurred_at"] // 1000, tz=zone)
    return (at.date() - date(1970, 1, 1)) // timedelta(days=1)


def time_of(event: dict[str, Any]) -> tuple[int, str]:
    return event["occurred_at"], event["event_id"]


def key_of(event: dict[str, Any]) -> str:
    return f"{event['store_id']}|{event.get('customer_id') or event.get('anonymous_id')}"


def expected_journeys(events: list[dict[str, Any]], partitions: int) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Slow and plain: the events of each execution and partition, sorted."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for event in sorted(events, key=time_of):
        place = event["store_id"], event["execution_id"], partition_of(key_of(event).encode(), partitions)
        groups.setdefault(place, []).append(event)
    rows = {}
    for place, mine in groups.items():
        starts = [event for event in mine if event["type"] == "started"]
        goals = [event for event in mine if event["type"] == "goal_reached"]
        ends = [event for event in mine if event.get("node_type") in ("end", "cancel")]
        end = min(ends, key=lambda event: (event["occurred_at"], event["node_type"] != "end"), default=None)
        first, start = mine[0], starts[0] if starts else None
        rows[place] = {
            "store_id": place[0],
            "execution_id": place[1],
            "partition": place[2],
            "started_at": start["occurred_at"] if start else 0,
            "start_event_id": start["event_id"] if start else "",
            "start_date": day(start) if start else 0,
            "journey_id": start["journey_id"] if start else "",
            "journey_version": str(start["journey_version"] or "") if start else "",
            "channel": start["channel"] if start else "",
            "first_at": first["occurred_at"],
            "first_event_id": first["event_id"],
            "first_journey_id": first["journey_id"],
            "first_channel": first["channel"],
            "terminal_at": end["occurred_at"] if end else 0,
            "terminal_kind": end["node_type"] if end else "",
            "terminal_date": day(end) if end else 0,
            "goal_at": goals[0]["occurred_at"] if goals else 0,
            "last_at": mine[-1]["occurred_at"],
        }
    return rows


def expected_notifications(events: list[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    rows = {}
    for event in events:
        if event["type"] != "notification_sent":
            continue
        customer = event.get("customer_id")
        row = {
            "store_id": event["store_id"],
            "communication_id": event["communication_id"],
            "person": f"c:{customer}" if customer else f"a:{event['anonymous_id']}",
            "event_id": event["event_id"],
            "sent_at": event["occurred_at"],
            "store_date": day(event),
            "channel": event["channel"],
            "notification_channel": event["notification_channel"],
            "journey_id": event["journey_id"],
            "execution_id": event["execution_id"],
        }
        rows[row["store_id"], row["communication_id"], row["person"], row["event_id"]] = row
    return rows


@pytest.mark.parametrize("seed", range(150))
def test_any_order_any_repeat_any_crash_gives_the_same_rows(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    if seed % 3 == 0:
        monkeypatch.setattr(shop, "EXECUTIONS_IN_MEMORY", 0)  # everything is loaded again
    events = [random_event(number, chance) for number in range(chance.randint(1, 25))]
    partitions = chance.choice((1, 2, 5))
    records = [record("journey-node", event) for event in events]
    arriving = misrouted(shuffled_with_repeats(records, chance), chance)
    driver = run(arriving, chance, partitions=partitions)
    assert not driver.dead_letters
    assert table(driver, "journeys") == expected_journeys(events, partitions)
    assert table(driver, "notifications") == expected_notifications(events)
    # No effect on sessions, whatever session_id they carry (H30).
    assert not driver.written("sessions")
    books = driver.ledger()
    assert books["accepted"] == len(events)
    assert books["read"] == books["accepted"] + books["duplicate"] + books["forwarded"]


def test_a_goal_long_after_the_end_keeps_the_start() -> None:
    chance = random.Random(1)
    base = {
        "store_id": "acme",
        "customer_id": "ann",
        "journey_id": "welcome",
        "execution_id": "x1",
    }
    year = 365 * 24 * HOUR
    events = [
        {**base, "event_id": "1", "type": "started", "occurred_at": START},
        {**base, "event_id": "2", "type": "node_entered", "node_id": "n", "node_type": "end", "occurred_at": START + 1},
        {**base, "event_id": "3", "type": "goal_reached", "occurred_at": START + year},
    ]  # fmt: skip
    driver = run([record("journey-node", event) for event in events[:2]], chance, partitions=1)
    # Time passes, and what may be forgotten is.
    for days in range(1, 365, 30):
        other = {**events[0], "event_id": f"o{days}", "execution_id": f"o{days}"}
        driver.pipe([record("journey-node", {**other, "occurred_at": START + days * 24 * HOUR})])
        driver.advance_to(START + days * 24 * HOUR)
        driver.commit()
    driver.crash()
    driver.pipe([record("journey-node", events[2])])
    row = table(driver, "journeys")["acme", "x1", 0]
    assert (row["started_at"], row["terminal_kind"], row["goal_at"]) == (START, "end", START + year)


def test_a_withdrawn_sending_deletes_the_row_that_was_written() -> None:
    sent = NotificationSent(
        event_id="1",
        store_id="acme",
        occurred_at=START,
        anonymous_id="d",
        journey_id="welcome",
        execution_id="x1",
        communication_id="m1",
        notification_channel="email",
    )
    tenant, journeys, notifications = (
        Tenant("acme", STORES["acme"]),
        Journeys(MemoryStore(0), 1),
        Notifications(),
    )
    written: list[NotificationRow] = []
    for clock, change in enumerate((notifications.sent, notifications.withdraw)):
        change(sent, START, tenant, "a:d")
        flush = Flush(0, clock, START, START)
        flush.journeys(journeys, notifications)
        ((key, row),) = flush.epoch(b"", [], None).rows["notifications"]
        assert msgspec.msgpack.decode(key) == ["acme", "m1", "a:d", "1"]
        written.append(msgspec.msgpack.decode(row, type=NotificationRow))
    there, gone = written
    assert (there.is_deleted, gone.is_deleted) == (0, 1)
    assert gone == msgspec.structs.replace(there, is_deleted=1, version=1)


def test_an_event_that_says_nothing_new_writes_no_row() -> None:
    chance = random.Random(1)
    base = {"store_id": "acme", "customer_id": "ann", "journey_id": "welcome", "execution_id": "x1"}
    step = {**base, "type": "node_entered", "node_id": "n", "node_type": "action"}
    driver = run(
        [
            record("journey-node", {**base, "type": "started", "event_id": "1", "occurred_at": START}),
            record("journey-node", {**step, "event_id": "3", "occurred_at": START + HOUR}),
        ],
        chance,
        partitions=1,
        crashes=False,
    )
    written = len(driver.written("journeys"))
    driver.pipe([record("journey-node", {**step, "event_id": "2", "occurred_at": START + MINUTE})])
    assert len(driver.written("journeys")) == written
