"""One partition at work: which of its topics wait for which."""

import time

import pytest

from schemas.topics import INPUTS, SOURCES, TIMELESS
from streams.engine.ends import End
from streams.engine.pace import Pace
from streams.engine.partition import Partition
from streams.engine.state import MemoryStore
from tests.streams.engine.kit import TinyProcessor, options


@pytest.fixture
def partition(monkeypatch: pytest.MonkeyPatch) -> Partition:
    """Nothing of it is taken yet but a session of the year 2033."""
    monkeypatch.setattr(TinyProcessor, "topic_times", lambda self: {"session": 2_000_000_000_000})
    store = MemoryStore(0)
    begin = dict.fromkeys(INPUTS, 0)
    processor = TinyProcessor(0, store, None)
    return Partition(
        0,
        processor=processor,
        store=store,
        producer=None,
        begin=begin,
        options=options(),
        pace=Pace(options()),
    )


def test_a_topic_ahead_waits_for_events_that_nobody_has_seen_yet(partition: Partition) -> None:
    assert partition.held_back(0.0) == {"session"}


def test_nothing_waits_for_a_topic_without_event_time(partition: Partition) -> None:
    # All events are read; of definitions and of what partitions send each other nothing was heard yet.
    for topic in SOURCES:
        partition.note_end(topic, End(0, 100.0), 100.0)
    assert partition.ends.behind(100.0) == TIMELESS
    assert partition.held_back(100.0) == set()


def test_an_epoch_with_nothing_to_write_is_progress_unless_records_are_known_to_wait(
    partition: Partition,
) -> None:
    now = time.monotonic()
    for topic in SOURCES:
        partition.note_end(topic, End(0, now), now)
    for waiting in (0, 1):
        partition.note_end("session", End(waiting, now), now)
        partition.progress_at = now - 100
        assert partition.cut(now_ms=0) is None
        assert (partition.progress_at < now) is bool(waiting)


def test_nobody_knows_what_waits_in_a_topic_of_which_nothing_was_heard_for_long(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    assert not partition.has_lag(frozenset())  # the first response is on its way
    monkeypatch.setattr(time, "monotonic", lambda: now + 1_000)
    for topic in INPUTS:
        partition.note_end(topic, End(0, now + 1_000), now + 1_000)
    assert not partition.has_lag(frozenset())
    partition.note_end("cart", End(0, now), now + 1_000)
    assert partition.has_lag(frozenset())
    assert not partition.has_lag(frozenset({"cart"}))
