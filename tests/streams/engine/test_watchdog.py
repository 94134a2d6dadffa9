"""The watchdog's four reasons, and the collector's rhythm."""

import gc

from streams.engine.collector import OLD, YOUNG, YOUNG_EVERY_SECONDS, Collector
from streams.engine.watchdog import Watchdog
from tests.streams.engine.kit import Exits


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Watched:
    reason: str | None = None

    def stuck(self, now: float) -> str | None:
        return self.reason


def test_a_loop_that_does_not_turn_a_process_that_stood_still_and_a_stuck_engine_are_seen() -> None:
    clock, watched = Clock(), Watched()
    dog = Watchdog(watched, Exits(), loop_lag=10.0, suspended=8.0, clock=clock)
    assert dog.look() is None
    for _ in range(4):
        clock.now += 3.0
        reason = dog.look()
    assert reason is not None
    assert "event loop" in reason
    dog.beat()
    assert dog.look() is None
    clock.now += 8.5
    dog.beat()
    reason = dog.look()
    assert reason is not None
    assert "stood still" in reason
    watched.reason = "partition 3"
    assert dog.look() == "partition 3"


def test_young_objects_are_collected_every_few_seconds_and_all_of_them_now_and_then() -> None:
    clock = Clock()
    told: list[int] = []
    collector = Collector(lambda generation, seconds: told.append(generation), clock)
    collector.between()
    assert told == []
    clock.now += YOUNG_EVERY_SECONDS
    collector.between()
    collector.between()
    assert told == [YOUNG]
    clock.now += 600.0
    collector.between()
    assert told == [YOUNG, OLD]


def test_automatic_collection_is_off_between_start_and_stop() -> None:
    collector = Collector(lambda generation, seconds: None)
    collector.start()
    try:
        assert not gc.isenabled()
        assert gc.get_freeze_count() > 0
    finally:
        collector.stop()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
