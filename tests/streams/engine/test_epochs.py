"""The commit of an epoch: its order, what it sends, and that each way to fail ends in an error and never in a commit."""

import asyncio
from typing import Any

import pytest
from aiokafka import TopicPartition

from schemas.epoch import Epoch, Outgoing, Stored
from schemas.topics import INPUTS, MAX_RECORD_BYTES
from streams.engine.epochs import Cut, commit
from streams.engine.options import BrokenAssumption
from streams.engine.state import MemoryStore
from tests.streams.engine.kit import FakeProducer, options, records_of


def cut_of(epoch: Epoch) -> Cut:
    offsets = {topic: 10 + rank for rank, topic in enumerate(INPUTS)}
    pending = MemoryStore().begin(epoch, number=1, offsets=offsets)
    return Cut(epoch, pending, offsets, {}, 0.0, 0, 1)


def epoch(count: int = 1, **changes: Any) -> Epoch:
    state: dict[bytes, Stored | None] = {b"k%d" % n: Stored(0, b"v") for n in range(count)}
    values: dict[str, Any] = {
        "meta": b"m",
        "state": state,
        "seen": (),
        "rows": {"toys": [(b"k%d" % n, b"row") for n in range(count)]},
        "outgoing": (),
        "expire_before_day": 0,
        **changes,
    }
    return Epoch(**values)


async def test_the_steps_come_in_their_order_and_the_offsets_are_the_cut_ones() -> None:
    producer = FakeProducer()
    done = await commit(cut_of(epoch()), producer=producer, partition=1, options=options())
    assert [name for name in producer.calls if name != "send"] == ["begin", "offsets", "commit"]
    assert producer.offsets == {
        TopicPartition(options().topics.source(topic), 1): 10 + rank for rank, topic in enumerate(INPUTS)
    }
    # The changelog batch began at offset 100 and held one key and the meta record.
    assert done.changelog_offset == 102


async def test_rows_and_outgoing_go_to_their_topics_with_headers_and_last_rows_come_last() -> None:
    producer = FakeProducer()
    outgoing = (
        Outgoing("dead-letter", b"o", b"raw", 5, (("reason", b"late"),)),
        Outgoing("dead-letter", None, b"raw", None, (), 0),
    )
    cut = cut_of(epoch(outgoing=outgoing, last_rows=(("marks", b"w", b"1"),), report=b"so far"))
    await commit(cut, producer=producer, partition=1, options=options())
    assert [(topic, partition) for topic, partition, _ in producer.sent] == [
        ("app-changelog", 1),
        ("t.dead-letter", 1),
        ("t.dead-letter", 0),
        ("t.rows", 1),
        ("app-progress", 0),
    ]
    changelog, letters, other, rows, reports = (records_of(batch) for _, _, batch in producer.sent)
    assert [key for key, _, _ in changelog] == [b"k0", b"\x00meta"]
    assert rows == [(b"toys/k0", b"row", []), (b"marks/w", b"1", [])]
    assert letters == [(b"o", b"raw", [("reason", b"late")])]
    assert other == [(None, b"raw", [])]
    assert reports == [(b"1", b"so far", [])]


async def test_a_large_epoch_is_cut_into_batches_and_every_record_is_in_one_of_them() -> None:
    producer = FakeProducer()
    done = await commit(cut_of(epoch(1_000)), producer=producer, partition=1, options=options())
    lanes: dict[str, list[Any]] = {}
    for topic, _, batch in producer.sent:
        lanes.setdefault(topic, []).append(batch)
    assert all(len(batches) > 5 for batches in lanes.values())
    changelog = [key for batch in lanes["app-changelog"] for key, _, _ in records_of(batch)]
    assert changelog == [*(b"k%d" % n for n in range(1_000)), b"\x00meta"]
    rows = [key for batch in lanes["t.rows"] for key, _, _ in records_of(batch)]
    assert rows == [b"toys/k%d" % n for n in range(1_000)]
    assert done.changelog_offset == 100 + 1_001


@pytest.mark.parametrize("step", ["begin", "send", "delivery", "offsets", "commit"])
async def test_a_step_that_fails_raises_and_no_later_step_is_taken(step: str) -> None:
    producer = FakeProducer(fail=step)
    with pytest.raises(OSError, match=f"{step} failed"):
        await commit(cut_of(epoch()), producer=producer, partition=1, options=options())
    order = ["begin", "send", "offsets", "commit"]
    # Deliveries and offsets do not wait for each other.
    last = order.index("offsets" if step == "delivery" else step)
    assert not set(order[last + 1 :]) & set(producer.calls)


@pytest.mark.parametrize("topic", ["app-changelog", "t.rows", "t.dead-letter"])
async def test_a_delivery_that_fails_on_any_topic_keeps_the_transaction_from_being_committed(
    topic: str,
) -> None:
    producer = FakeProducer(fail=f"delivery to {topic}")
    letters = (Outgoing("dead-letter", b"o", b"raw", 5),)
    cut = cut_of(epoch(outgoing=letters, last_rows=(("marks", b"w", b"1"),)))
    with pytest.raises(OSError, match="delivery failed"):
        await commit(cut, producer=producer, partition=1, options=options())
    assert "commit" not in producer.calls


@pytest.mark.parametrize("step", ["begin", "send", "delivery", "offsets", "commit"])
async def test_a_step_that_hangs_ends_at_the_deadline(step: str) -> None:
    producer = FakeProducer(hang=step)
    with pytest.raises(TimeoutError, match="50 ms"):
        await commit(cut_of(epoch()), producer=producer, partition=1, options=options(commit_timeout_ms=50))
    assert ("commit" in producer.calls) == (step == "commit")


async def test_a_fenced_sender_ends_the_commit_at_once_not_at_the_deadline() -> None:
    producer = FakeProducer(hang="delivery")
    running = asyncio.ensure_future(
        commit(cut_of(epoch()), producer=producer, partition=1, options=options(commit_timeout_ms=60_000))
    )
    await asyncio.sleep(0)
    producer._sender.sender_task.set_exception(PermissionError("fenced"))
    with pytest.raises(PermissionError, match="fenced"):
        await running
    assert "commit" not in producer.calls


async def test_a_record_over_the_limit_is_refused_before_anything_is_committed() -> None:
    producer = FakeProducer()
    large = epoch(rows={"toys": [(b"k", b"x" * (MAX_RECORD_BYTES + 1))]}, state={})
    with pytest.raises(BrokenAssumption, match=r"t\.rows"):
        await commit(cut_of(large), producer=producer, partition=1, options=options())
    assert "commit" not in producer.calls
