"""Live traffic: exactly as many records as asked for, of now, at an even pace."""

from collections import Counter

import msgspec
import orjson

from deploy.simulator import CLEAN, Live, Pace, Rates, SimRecord, Truth, going_on, new_truth
from deploy.simulator.live import LIVE_HOLD_MS
from schemas.events.clock import event_time
from schemas.events.decode import decode
from schemas.reasons import Rejected
from schemas.topics import DAY_MS
from tests.deploy.simulator.stories import ROUGH, STAMP_MS, WORLD, play

NOW = STAMP_MS
CALM = msgspec.structs.replace(WORLD, rates=CLEAN)


def _run(scenario_rates: Rates, *, seconds: int, rate: int) -> tuple[list[SimRecord], Truth]:
    scenario = going_on(msgspec.structs.replace(WORLD, rates=scenario_rates), NOW)
    truth = new_truth(scenario)
    live = Live(scenario, truth)
    records = []
    for tick in range(seconds * 50):
        taken = live.take(rate // 50, now_ms=NOW + tick * 20, rate=rate)
        assert len(taken) == rate // 50
        records += taken
    return records, truth


def test_the_same_moments_give_the_same_bytes() -> None:
    assert _run(ROUGH, seconds=3, rate=500) == _run(ROUGH, seconds=3, rate=500)


def test_events_happen_now_and_their_record_time_says_so() -> None:
    records, truth = _run(CLEAN, seconds=5, rate=1_000)
    for record in records:
        event = decode(record.topic, record.value, WORLD.settings())
        assert event_time(event, record.timestamp_ms) == record.timestamp_ms
    assert truth.bucket("accepted") == len(records)


def test_wrong_clocks_are_corrected_by_sent_at_to_the_very_millisecond() -> None:
    rates = msgspec.structs.replace(CLEAN, skewed_clocks=0.5)
    records, _ = _run(rates, seconds=3, rate=500)
    off = 0
    for record in records:
        event = decode(record.topic, record.value, WORLD.settings())
        off += abs(event.occurred_at - record.timestamp_ms) > 60_000
        assert event_time(event, record.timestamp_ms) == record.timestamp_ms
    assert off > len(records) / 4


def test_live_mess_stays_within_its_bounds_and_lands_where_the_truth_says() -> None:
    records, truth = _run(ROUGH, seconds=60, rate=500)
    seen: set[tuple[str, str]] = set()
    accepted: Counter[str] = Counter()
    duplicates = 0
    for record in records:
        try:
            event = decode(record.topic, record.value, WORLD.settings())
        except Rejected:
            continue
        at = event_time(event, record.timestamp_ms)
        if event.is_test or at > record.timestamp_ms + 600_000:
            continue
        if getattr(event, "name", "") == "offline":
            assert record.timestamp_ms - at > DAY_MS
            continue
        assert 0 <= record.timestamp_ms - at <= DAY_MS - LIVE_HOLD_MS or at > NOW
        if (event.store_id, event.event_id) in seen:
            duplicates += 1
        else:
            seen.add((event.store_id, event.event_id))
            accepted[record.topic] += 1
    assert accepted == {topic: counts["accepted"] for topic, counts in truth.buckets.items()}
    assert duplicates == truth.bucket("duplicate") > 100
    assert truth.records == len(records)


def test_a_live_run_repeats_no_id_of_the_history() -> None:
    history_ids = {orjson.loads(record.value)["event_id"] for record in play(CALM)[0]}
    live_ids = {orjson.loads(record.value)["event_id"] for record in _run(CLEAN, seconds=3, rate=500)[0]}
    assert not history_ids & live_ids


def test_the_mix_settles_and_orders_come_with_their_refunds() -> None:
    _, truth = _run(CLEAN, seconds=120, rate=500)
    share = {topic: sum(kinds.values()) / truth.records for topic, kinds in truth.types.items()}
    assert abs(share["impression"] - 0.35) < 0.05, share
    assert abs(share["session"] - 0.26) < 0.05, share
    assert truth.types["order"]["captured"] > 500
    assert truth.types["order"]["refunded"] > 10


def test_the_pace_is_even_and_never_bursts() -> None:
    pace = Pace(5_000)
    pace.start(100.0)
    counts = [pace.due(100.0 + tick * 0.02) for tick in range(1, 501)]
    assert sum(counts) == 50_000
    assert max(counts) - min(counts) <= 2
    assert pace.due(110.0 + 60.0) in (1_250, 1_251)  # a minute's stall is not made up for
    assert pace.skipped_seconds > 59
    assert pace.due(170.02) in (99, 100, 101)


def test_a_slow_pace_gives_one_record_at_a_time() -> None:
    pace = Pace(2)
    pace.start(0.0)
    assert [pace.due(tick * 0.25) for tick in range(1, 9)] == [0, 1, 0, 1, 0, 1, 0, 1]
