"""The watchdog's four reasons, and the collector's rhythm."""

import gc

import pytest

from streams.engine.collector import EVERY_SECONDS, MOST_NEW_OBJECTS, Collector
from streams.engine.watchdog import Watchdog
from tests.streams.engine.kit import Exits, ProcessEnded


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


def test_a_look_that_fails_ends_the_process() -> None:
    class Broken:
        def stuck(self, now: float) -> str | None:
            raise RuntimeError("dictionary changed size during iteration")

    exits = Exits()
    dog = Watchdog(Broken(), exits, loop_lag=10.0, suspended=8.0)
    with pytest.raises(ProcessEnded, match="the watchdog can't look: RuntimeError"):
        dog._run()


def test_garbage_is_collected_now_and_then_and_at_once_when_objects_pile_up() -> None:
    clock = Clock()
    told: list[int] = []
    new = [0]
    collector = Collector(lambda found, seconds: told.append(found), clock, lambda: new[0])
    clock.now += EVERY_SECONDS / 2
    collector.between()
    assert told == []
    clock.now += EVERY_SECONDS / 2
    gc.disable()  # or it might find the knot first
    try:
        knot: list[object] = []
        knot.append(knot)
        del knot
        collector.between()
    finally:
        gc.enable()
    collector.between()
    assert len(told) == 1
    assert told[0] >= 1
    new[0] = MOST_NEW_OBJECTS
    collector.between()
    assert len(told) == 2


def test_the_count_of_new_objects_goes_on_while_automatic_collection_is_off() -> None:
    collector = Collector(lambda found, seconds: None)
    collector.start()
    try:
        before = collector._new_objects()
        held: list[list[int]] = [[] for _ in range(10_000)]
        assert 9_000 < collector._new_objects() - before < 20_000
        held.clear()
        assert collector._new_objects() - before < 5_000
    finally:
        collector.stop()


def test_automatic_collection_is_off_between_start_and_stop() -> None:
    collector = Collector(lambda found, seconds: None)
    collector.start()
    try:
        assert not gc.isenabled()
        assert gc.get_freeze_count() > 0
    finally:
        collector.stop()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
