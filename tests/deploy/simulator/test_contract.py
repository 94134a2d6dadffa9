"""The simulator's events against the pipeline's own reading of the contract, which it was written without."""

import datetime
from collections import Counter
from random import Random

import orjson
import pytest

from deploy.simulator.poison import POISONS, Poison
from deploy.simulator.truth import Truth
from deploy.simulator.wire import CURRENCIES, Clock, money
from schemas.events.clock import event_time, is_in_future
from schemas.events.decode import decode
from schemas.events.order import OrderCanceled, OrderCaptured, OrderRefunded
from schemas.events.person import person_id
from schemas.events.types import Event
from schemas.instants import instant_ms
from schemas.reasons import Reason, Rejected
from schemas.stores import Calendar
from tests.deploy.simulator.stories import END_MS, STAMP_MS, WORLD, play

STORES = WORLD.settings()


def _verdicts() -> tuple[list[tuple[str, Event]], Counter[tuple[str, str]], Truth]:
    """(accepted events with their topics, (topic, bucket) -> records, truth) of the rough world."""
    records, truth = play(WORLD)
    seen: set[tuple[str, str]] = set()
    events: list[tuple[str, Event]] = []
    buckets: Counter[tuple[str, str]] = Counter()
    for record in records:
        try:
            event = decode(record.topic, record.value, STORES)
        except Rejected as rejected:
            buckets[record.topic, f"dead_letter:{rejected.reason}"] += 1
            continue
        at = event_time(event, record.timestamp_ms)
        if event.is_test:
            buckets[record.topic, "test_traffic"] += 1
        elif is_in_future(at, record.timestamp_ms):
            buckets[record.topic, f"dead_letter:{Reason.IN_FUTURE}"] += 1
        elif (event.store_id, event.event_id) in seen:
            buckets[record.topic, "duplicate"] += 1
        else:
            seen.add((event.store_id, event.event_id))
            events.append((record.topic, event))
            buckets[record.topic, "accepted"] += 1
    return events, buckets, truth


EVENTS, BUCKETS, TRUTH = _verdicts()
NOT_MADE = {Reason.TOO_LATE, Reason.SKIPPED}  # a worker's watermark decides the one, a person the other


def test_every_record_lands_in_the_bucket_the_truth_says() -> None:
    expected: Counter[tuple[str, str]] = Counter()
    for topic, counts in TRUTH.buckets.items():
        for name, count in counts.items():
            expected[topic, "accepted" if name == "late_candidate" else name] += count
    assert expected == BUCKETS
    reasons = {name for _, name in BUCKETS if name.startswith("dead_letter:")}
    assert reasons == {f"dead_letter:{reason}" for reason in Reason if reason not in NOT_MADE}


def test_orders_of_decoded_events_add_up_to_the_truth() -> None:
    captured: dict[tuple[str, str], list[OrderCaptured]] = {}
    for _, event in EVENTS:
        if isinstance(event, OrderCaptured):
            captured.setdefault((event.store_id, event.order_id), []).append(event)
    revenue: Counter[tuple[str, int, str]] = Counter()
    for (store_id, _), versions in captured.items():
        first = min(versions, key=lambda event: event.occurred_at)
        last = max(versions, key=lambda event: event.order_version)
        day = Calendar(STORES[store_id].zone).day(first.occurred_at)
        revenue[store_id, day, last.currency] += last.total
    days = TRUTH.order_days()
    wanted = {
        (store_id, _day_number(date), currency): day.revenue
        for (store_id, date, currency), day in days.items()
        if day.orders
    }
    assert dict(revenue) == wanted
    assert {currency for _, _, currency in days} == {"EUR", "USD", "JPY", "KWD"}


def test_people_and_sessions_of_decoded_events_are_those_of_the_truth() -> None:
    people: set[tuple[str, str]] = set()
    sessions: set[tuple[str, str, str]] = set()
    for topic, event in EVENTS:
        person = person_id(event)
        if topic == "session" and getattr(event, "name", None) == "offline":
            continue  # may be too late; the truth keeps out
        if person is None or isinstance(event, OrderCanceled | OrderRefunded):
            continue
        people.add((event.store_id, person))
        if event.session_id and topic != "journey-node" and getattr(event, "order_version", 1) == 1:
            sessions.add((event.store_id, person, event.session_id))
    assert people == {(store, person) for store, known in TRUTH.people.items() for person in known}
    assert len(sessions) == sum(len(known) for known in TRUTH.sessions.values())


@pytest.mark.parametrize("kind", POISONS, ids=lambda kind: kind.name)
def test_poison_is_refused_for_its_reason_at_its_field(kind: Poison) -> None:
    body = {"event_id": "e1", "type": "", "store_id": "acme", "occurred_at": END_MS, "anonymous_id": "d"}
    value = kind.make(body)
    if kind.reason == "in_future":
        event = decode(kind.topic, value, STORES)
        assert is_in_future(event_time(event, STAMP_MS), STAMP_MS)
        return
    with pytest.raises(Rejected) as refused:
        decode(kind.topic, value, STORES)
    assert (str(refused.value.reason), refused.value.field) == (kind.reason, kind.field)


def test_every_way_of_writing_time_and_money_occurs_and_is_read_back() -> None:
    rng = Random(3)
    for clock in (Clock(0), Clock(120), Clock(-180), Clock(330, tail="456")):
        for at in (END_MS, END_MS + 1, 951_868_799_999, rng.randrange(946_684_800_000, 4_000_000_000_000)):
            assert instant_ms(str(clock.write(at))) == at
    for currency, (decimals, _) in CURRENCIES.items():
        for minor in (0, 1, 9, 10, 999, 100_000, 123_456_789_012, rng.randrange(10**13)):
            number = orjson.dumps(money(minor, currency, as_text=False)).decode()
            text = str(money(minor, currency, as_text=True))
            for written in (number, text):
                whole, _, rest = written.partition(".")
                assert int(whole + rest.ljust(decimals, "0")[:decimals]) == minor, (written, currency)
                assert len(rest) <= decimals


def _day_number(date: str) -> int:
    return datetime.date.fromisoformat(date).toordinal() - 719_163


def test_dates_of_the_truth_are_in_the_stores_zone() -> None:
    truth = Truth(zones={"acme": "America/New_York"})
    note = ("captured", "o1", 1, "USD", 500, 2)
    body = {"type": "captured", "store_id": "acme", "event_id": "e1", "customer_id": "ann"}
    truth.accept("order", body, 1_767_247_199_999, note)  # 2026-01-01T05:59:59.999Z, still 00:59 in New York
    truth.accept("order", body | {"event_id": "e2"}, 1_767_243_599_999, ("captured", "o2", 1, "USD", 7, 1))
    assert [date for _, date, _ in truth.order_days()] == ["2025-12-31", "2026-01-01"]
