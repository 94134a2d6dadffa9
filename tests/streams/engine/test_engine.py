"""Partitions that come and go, with fakes for Kafka: who may process and commit when."""

import asyncio
import time
from typing import Any

import pytest
from aiokafka import TopicPartition

from schemas.epoch import PartitionProcessor, Record, StateReader
from schemas.topics import INPUTS
from streams.engine.assigning import check_co_location
from streams.engine.chunks import Chunk
from streams.engine.ends import End
from streams.engine.engine import Engine
from streams.engine.hearing import OnReport
from streams.engine.options import BrokenAssumption, EngineOptions
from streams.engine.restore import Restored, starting_offsets
from streams.engine.state import MemoryStore, StateStore
from tests.streams.engine.kit import (
    Exits,
    FakeProducer,
    FakeSource,
    ProcessEnded,
    TinyProcessor,
    options,
    records_of,
    until,
)


class Bench:
    """An engine on fakes. `log`: what happened, in order."""

    def __init__(self, *, size: int = 1, **changes: Any) -> None:
        self.log: list[str] = []
        self.exits = Exits()
        self.producers: dict[int, FakeProducer] = {}
        self.stores: dict[int, MemoryStore] = {}
        self.processors: dict[int, TinyProcessor] = {}
        self.restore_gate: asyncio.Event | None = None
        self.fail = ""
        self.size = size
        self.source = FakeSource()
        self.engine = Engine(
            options(**changes),
            self._processor,
            self._store,
            exit=self.exits,
            make_producer=self._producer,
            restore=self._restore,
            hear=self._hear,
            now_ms=lambda: 0,
        )
        self.engine.source = self.source

    def _processor(self, partition: int, state: StateReader, meta: bytes | None) -> PartitionProcessor:
        self.processors[partition] = TinyProcessor(partition, state, meta, size=self.size)
        return self.processors[partition]

    def _store(self, partition: int) -> StateStore:
        return self.stores.setdefault(partition, MemoryStore(partition))

    def _producer(self, _: EngineOptions, partition: int) -> FakeProducer:
        self.producers[partition] = FakeProducer(log=self.log, fail=self.fail)
        return self.producers[partition]

    async def _hear(self, _: EngineOptions, on_report: OnReport) -> None:
        self.on_report = on_report
        await asyncio.Event().wait()

    async def _restore(self, partition: int, store: StateStore, _: EngineOptions) -> Restored:
        self.log.append("restore")
        if self.restore_gate is not None:
            await self.restore_gate.wait()
        offsets = store.meta.offsets if store.meta else {}
        return Restored({name: offsets.get(name, 0) for name in INPUTS}, {}, 0)

    def assign(self, *numbers: int) -> None:
        self.engine.assign(
            frozenset(
                TopicPartition(options().topics.source(name), number) for name in INPUTS for number in numbers
            )
        )

    async def ready(self, *numbers: int) -> None:
        self.assign(*numbers)
        await until(lambda: len(self.engine.wanted()[1]) == len(numbers) * len(INPUTS))

    def chunk(self, begin: int, count: int = 1, *, partition: int = 0, value: bytes = b"v") -> Chunk:
        records = [Record(begin + n, 0, b"k", value) for n in range(count)]
        return Chunk("cart", partition, begin, begin + count, records, self.engine.wanted()[0])


async def test_all_producers_are_started_before_anything_is_restored() -> None:
    bench = Bench()
    await bench.ready(0, 1)
    assert bench.log == ["start", "start", "restore", "restore"]


async def test_nothing_is_wanted_before_the_state_is_complete() -> None:
    bench = Bench()
    bench.restore_gate = asyncio.Event()
    bench.assign(0)
    await until(lambda: "restore" in bench.log)
    assert bench.engine.wanted()[1] == {}
    await bench.engine.take(bench.chunk(0))
    assert bench.source.opened == {}
    bench.restore_gate.set()
    await until(lambda: len(bench.engine.wanted()[1]) == len(INPUTS))


async def test_a_partition_hears_what_was_reported_before_it_was_live_and_since() -> None:
    bench = Bench()
    await bench.ready(0)
    bench.on_report(3, b"early")
    bench.on_report(3, b"later")
    await bench.engine.revoke()
    await bench.ready(0, 1)
    bench.on_report(1, b"now")
    assert bench.processors[1].heard == [(3, b"later"), (1, b"now")]
    assert bench.processors[0].heard == [(3, b"later"), (1, b"now")]


async def test_a_revocation_during_a_restore_gives_back_what_was_opened_and_the_next_one_works() -> None:
    bench = Bench()
    bench.restore_gate = asyncio.Event()
    bench.assign(0, 1)
    await until(lambda: bench.log.count("restore") == 2)
    await bench.engine.revoke()
    assert bench.log.count("stop") == 2
    bench.restore_gate.set()
    await bench.ready(1)
    assert bench.exits.reasons == []


async def test_a_revocation_commits_what_was_processed_then_stops_the_producer() -> None:
    bench = Bench()
    await bench.ready(0)
    await bench.engine.take(bench.chunk(0, 3))
    await bench.engine.revoke()
    assert bench.log[-2:] == ["commit", "stop"]
    assert bench.producers[0].offsets[TopicPartition("t.cart", 0)] == 3
    await bench.ready(0)
    assert bench.processors[0].meta == b"m"
    assert bench.source.opened[TopicPartition("t.cart", 0)] == 3


async def test_a_chunk_of_an_earlier_assignment_is_dropped_not_processed() -> None:
    bench = Bench()
    await bench.ready(0)
    old = bench.chunk(0)
    await bench.engine.revoke()
    await bench.ready(0)
    await bench.engine.take(old)
    assert bench.processors[0].records == 0
    await bench.engine.take(bench.chunk(0))
    assert bench.processors[0].records == 1


async def test_one_epoch_is_in_flight_and_one_full_one_waits_then_taking_waits() -> None:
    bench = Bench(epoch_max_bytes=10, size=5)
    await bench.ready(0)
    bench.producers[0].gate = asyncio.Event()
    await bench.engine.take(bench.chunk(0, 2))  # full: begins an epoch
    await bench.engine.take(bench.chunk(2, 2))  # full again, while the first is in flight
    third = asyncio.ensure_future(bench.engine.take(bench.chunk(4, 1)))
    for _ in range(50):
        await asyncio.sleep(0)
    assert not third.done()
    assert bench.processors[0].records == 2
    bench.producers[0].gate.set()
    await third
    await bench.engine.revoke()
    assert bench.stores[0].get(b"k") == b"5"
    assert bench.producers[0].calls.count("commit") == 3


async def test_an_epoch_holds_exactly_what_was_processed_when_it_was_cut() -> None:
    bench = Bench()
    await bench.ready(0)
    bench.producers[0].gate = asyncio.Event()
    await bench.engine.take(bench.chunk(0, 2))
    await bench.engine.tick()
    await bench.engine.take(bench.chunk(2, 1))
    # In flight: the processor sees its own writes through the store although nothing is committed.
    assert bench.processors[0].counts_ == {b"k": 3}
    bench.producers[0].gate.set()
    await until(lambda: bench.stores[0].meta is not None)
    assert bench.producers[0].offsets[TopicPartition("t.cart", 0)] == 2
    await bench.engine.revoke()
    assert bench.producers[0].offsets[TopicPartition("t.cart", 0)] == 3


async def test_expired_keys_are_deleted_by_the_next_epoch_in_changelog_and_store() -> None:
    bench = Bench()
    await bench.ready(0)
    bench.processors[0].expires_day = 10
    await bench.engine.take(bench.chunk(0))
    await bench.engine.tick()
    await until(lambda: bench.stores[0].meta is not None)
    assert bench.stores[0].get(b"k") == b"1"
    bench.processors[0].expire_before_day = 11
    other = [Record(1, 0, b"other", b"v")]
    await bench.engine.take(Chunk("cart", 0, 1, 2, other, bench.engine.wanted()[0]))
    await bench.engine.tick()
    await until(lambda: bench.stores[0].get(b"other") is not None and not bench.stores[0].in_flight)
    assert bench.stores[0].get(b"k") is None
    changelog = [batch for topic, _, batch in bench.producers[0].sent if topic == "app-changelog"][-1]
    records = records_of(changelog)
    assert (b"k", None) in [(key, value) for key, value, _ in records]


@pytest.mark.parametrize("step", ["begin", "send", "delivery", "offsets", "commit"])
async def test_a_commit_that_fails_ends_the_process_and_leaves_the_store_as_it_was(step: str) -> None:
    bench = Bench()
    bench.fail = step
    await bench.ready(0)
    await bench.engine.take(bench.chunk(0))
    await bench.engine.tick()
    task = bench.engine._in_flight[0]
    with pytest.raises(ProcessEnded, match=f"epoch 1 was not committed.*{step} failed"):
        await task
    assert bench.stores[0].meta is None
    assert len(bench.exits.reasons) == 1


async def test_poison_and_skipped_records_end_the_process_before_their_offset_is_committable() -> None:
    for wrong in ({"begin": 1, "value": b"poison"}, {"begin": 5}):
        bench = Bench()
        await bench.ready(0)
        await bench.engine.take(bench.chunk(0))
        with pytest.raises(ProcessEnded, match="cart/0"):
            await bench.engine.take(bench.chunk(**wrong))
        assert bench.engine._live[0].positions["cart"] == 1


async def test_a_producer_that_does_not_start_ends_the_process() -> None:
    bench = Bench()
    bench.fail = "start"
    bench.assign(0)
    preparing = bench.engine._preparing
    assert preparing is not None
    with pytest.raises(ProcessEnded, match="can't be taken over"):
        await preparing
    assert "restore" not in bench.log


async def test_after_shutdown_nothing_is_taken_or_assigned() -> None:
    bench = Bench()
    await bench.ready(0)
    late = bench.chunk(1)
    await bench.engine.take(bench.chunk(0))
    closed: list[bool] = []
    bench.engine.on_closed = lambda: closed.append(True)
    await bench.engine.shutdown()
    await bench.engine.shutdown()
    await bench.engine.take(late)
    bench.assign(0)
    assert bench.engine.wanted()[1] == {}
    assert closed == [True]
    assert bench.producers[0].offsets[TopicPartition("t.cart", 0)] == 1


def test_an_assignment_without_all_six_topics_of_a_partition_is_refused() -> None:
    topics = options().topics
    whole = frozenset(TopicPartition(topic, number) for topic in topics.inputs for number in (0, 2))
    assert check_co_location(whole, topics) == [0, 2]
    with pytest.raises(BrokenAssumption, match=r"t\.cart/2"):
        check_co_location(whole - {TopicPartition("t.cart", 2)}, topics)
    with pytest.raises(BrokenAssumption, match="other"):
        check_co_location(whole | {TopicPartition("other", 0)}, topics)


def test_reading_goes_on_from_the_state_and_says_what_retention_took_away() -> None:
    begins, ends = {"cart": 10, "order": 0, "click": 4}, {"cart": 50, "order": 5, "click": 9}
    start, unread = starting_offsets(0, {"cart": 20, "click": 1}, begins, ends)
    assert start == {"cart": 20, "order": 0, "click": 4}
    assert unread == {"click": 3}
    with pytest.raises(BrokenAssumption, match=r"order/0.*made anew"):
        starting_offsets(0, {"order": 6}, begins, ends)


async def test_the_next_chunk_of_a_thin_topic_is_cut_to_the_time_that_alignment_bears() -> None:
    bench = Bench(alignment_ms=1_000)
    await bench.ready(0)
    processor, partition = bench.processors[0], bench.engine._live[0]
    size = partition.chunk_size("cart")
    processor.times = {"cart": 10_000}
    await bench.engine.take(bench.chunk(0, size))
    assert partition.chunk_size("cart") == 2 * size  # it was full, and nothing is known of its span
    processor.advance = {"cart": 40_000}  # 40 s in one chunk, where twelve are allowed
    await bench.engine.take(bench.chunk(size, 2 * size))
    assert partition.chunk_size("cart") == 2 * size * 12 // 40
    assert partition.chunk_size("click") == size


async def test_an_epoch_lasts_longer_while_a_backlog_is_known() -> None:
    for intervals, due in ((2, False), (5, True)):
        bench = Bench(epoch_interval_ms=60_000)
        await bench.ready(0)
        partition = bench.engine._live[0]
        await bench.engine.take(bench.chunk(0, 5))
        assert not partition.is_due()
        partition.flushed_at -= intervals * 60
        partition._first_chunk_at = partition.flushed_at
        assert partition.is_due()  # nothing is known of a backlog
        now = time.monotonic()
        partition.note_end("cart", End(1_000, now), now)
        assert partition.is_due() is due
        partition.note_end("cart", End(5, now), now)
        assert partition.is_due()


async def test_what_comes_after_an_interval_of_nothing_is_due_at_once() -> None:
    bench = Bench(epoch_interval_ms=60_000)
    await bench.ready(0)
    partition = bench.engine._live[0]
    partition.flushed_at -= 60
    await bench.engine.take(bench.chunk(0))
    await bench.engine.tick()
    await until(lambda: bench.stores[0].meta is not None)
    await bench.engine.take(bench.chunk(1))
    assert not partition.is_due()


async def test_partitions_that_are_due_together_are_spread_over_the_ticks_of_an_interval() -> None:
    bench = Bench(epoch_interval_ms=60_000)
    await bench.ready(0, 1)
    for number in (0, 1):
        bench.engine._live[number].flushed_at -= 100 + number
        await bench.engine.take(bench.chunk(0, partition=number))
    bench.engine._ticked_at = time.monotonic() - 6
    await bench.engine.tick()
    await until(lambda: bench.stores[1].meta is not None)  # the longest waiting
    assert bench.stores[0].meta is None
    bench.engine._ticked_at = time.monotonic() - 60
    await bench.engine.tick()
    await until(lambda: bench.stores[0].meta is not None)


async def test_an_epoch_is_cut_when_it_has_taken_so_many_records() -> None:
    bench = Bench(epoch_max_records=5)
    await bench.ready(0)
    await bench.engine.take(bench.chunk(0, 4))
    assert 0 not in bench.engine._in_flight
    await bench.engine.take(bench.chunk(4))
    assert 0 in bench.engine._in_flight
    await until(lambda: 0 not in bench.engine._in_flight)
    assert bench.producers[0].offsets[TopicPartition("t.cart", 0)] == 5
    await bench.engine.take(bench.chunk(5, 4))
    assert 0 not in bench.engine._in_flight


async def test_a_tick_lets_epochs_in_flight_go_on_between_two_partitions() -> None:
    bench = Bench()
    await bench.ready(0, 1)
    for number in (0, 1):
        await bench.engine.take(bench.chunk(0, partition=number))
    ticking = asyncio.ensure_future(bench.engine.tick())
    await until(lambda: 0 in bench.engine._in_flight)
    assert 1 not in bench.engine._in_flight
    await ticking
    await until(lambda: not bench.engine._in_flight)
    assert all(bench.producers[number].offsets for number in (0, 1))
