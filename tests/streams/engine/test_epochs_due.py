"""When an epoch is cut, how large a chunk may be, and how partitions that are due share the ticks; on fakes."""

import asyncio
import time

from aiokafka import TopicPartition

from streams.engine.ends import End
from tests.streams.engine.bench import Bench
from tests.streams.engine.kit import until


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
