"""Partitions that come and go, with fakes for Kafka: who may process and commit when."""

import asyncio
import time

import pytest
from aiokafka import TopicPartition

from schemas.epoch import Record
from schemas.topics import INPUTS
from streams.engine.assigning import check_co_location
from streams.engine.chunks import Chunk
from streams.engine.ends import End
from streams.engine.options import BrokenAssumption
from streams.engine.restore import starting_offsets
from tests.streams.engine.bench import Bench
from tests.streams.engine.kit import ProcessEnded, options, records_of, until


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


async def test_while_catching_up_nothing_more_is_asked_for_before_what_is_queued_was_processed() -> None:
    bench = Bench()
    await bench.ready(0)
    assert wanted(bench) == {0}
    chunk = bench.chunk(0)
    bench.engine.queued(chunk)
    assert wanted(bench) == set()
    moved = asyncio.ensure_future(bench.engine.moved(60.0))
    await asyncio.sleep(0)
    await bench.engine.take(chunk)
    await moved
    assert wanted(bench) == {0}
    # What a rebalance leaves in the queue is nobody's.
    bench.engine.queued(bench.chunk(1))
    await bench.engine.revoke()
    await bench.ready(0)
    assert wanted(bench) == {0}


async def test_one_partition_is_asked_while_another_has_chunks_on_their_way() -> None:
    bench = Bench()
    await bench.ready(0, 1)
    bench.engine.queued(bench.chunk(0))
    assert wanted(bench) == {1}


async def test_of_a_full_partition_whose_epoch_is_in_flight_nothing_is_asked() -> None:
    bench = Bench(epoch_max_bytes=10, size=5)
    await bench.ready(0, 1)
    bench.producers[0].gate = asyncio.Event()
    await bench.engine.take(bench.chunk(0, 2))  # full: begins an epoch
    assert wanted(bench) == {0, 1}
    await bench.engine.take(bench.chunk(2, 2))  # full again, while the first is in flight
    assert wanted(bench) == {1}
    bench.producers[0].gate.set()
    await until(lambda: wanted(bench) == {0, 1})


async def test_a_partition_at_its_end_is_asked_while_chunks_are_queued() -> None:
    bench = Bench()
    await bench.ready(0)
    ends = {TopicPartition(options().topics.source(name), 0): End(0, time.monotonic()) for name in INPUTS}
    bench.engine.note_ends(bench.engine.wanted()[0], ends)
    bench.engine.queued(bench.chunk(0))
    assert wanted(bench) == {0}


def wanted(bench: Bench) -> set[int]:
    """The partitions of which chunks are asked for."""
    return {tp.partition for tp in bench.engine.wanted()[1]}


async def test_two_who_revoke_both_wait_until_all_is_committed() -> None:
    bench = Bench()
    await bench.ready(0)
    await bench.engine.take(bench.chunk(0))
    bench.producers[0].gate = asyncio.Event()
    first = asyncio.ensure_future(bench.engine.revoke())
    second = asyncio.ensure_future(bench.engine.shutdown())
    for _ in range(50):
        await asyncio.sleep(0)
    assert not first.done()
    assert not second.done()
    bench.producers[0].gate.set()
    await asyncio.gather(first, second)
    assert bench.log[-2:] == ["commit", "stop"]


async def test_a_takeover_that_swallows_its_cancellation_is_cancelled_again() -> None:
    bench = Bench()
    bench.restore_gate = asyncio.Event()
    bench.swallows = 1
    bench.assign(0)
    await until(lambda: "restore" in bench.log)
    await asyncio.wait_for(bench.engine.revoke(), 10.0)
    assert bench.exits.reasons == []


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
