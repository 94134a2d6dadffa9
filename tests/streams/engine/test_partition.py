"""One partition at work: which of its topics wait for which."""

import time

import pytest

from schemas.epoch import Record
from schemas.topics import INPUTS, SOURCES, TIMELESS
from streams.engine.chunks import Chunk
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


def test_a_report_of_idleness_is_no_progress_while_nobody_knows_what_waits(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    for topic in INPUTS:
        partition.note_end(topic, End(0, now), now)
    for later, is_progress in ((1, True), (1_000, False)):
        assert isinstance(partition.processor, TinyProcessor)
        partition.processor.counts_ = {b"k": later}  # something to write, and no record behind it
        cut = partition.cut(now_ms=0)
        assert cut is not None
        assert cut.records == 0
        partition.progress_at = now
        # No fetch has been answered meanwhile.
        monkeypatch.setattr(time, "monotonic", lambda later=later: now + later)
        partition.committed(cut, partition.store.changelog_offset + len(cut.pending.records))
        assert (partition.progress_at > now) is is_progress


def test_a_clock_that_was_set_back_does_not_keep_topics_from_being_idle(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[frozenset[str]] = []
    monkeypatch.setattr(partition.processor, "observe", lambda *, now_ms, idle: seen.append(idle))
    record = Record(0, 0, b"k", b"v")
    hour_ms = 3_600_000
    partition.take(Chunk("click", 0, 0, 1, [record], 1, taken_ms=2 * hour_ms), 0)
    partition.take(Chunk("click", 0, 1, 2, [record._replace(offset=1)], 1, taken_ms=hour_ms), 0)
    for at in (100.0, 200.0):
        partition.note_end("cart", End(0, at, hour_ms + int(at)), at)
    partition.cut(now_ms=0)
    assert "cart" in seen[-1]
