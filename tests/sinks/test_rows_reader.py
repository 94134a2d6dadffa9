"""What the reader of rows says while partitions are given out anew."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from streams.engine.fetch_task import FetchingEnded
from streams.rows_reader import Revoked, RowsReader
from streams.settings import Settings


class _Consumer:
    """Goes on with its old share until the next one is known, as aiokafka does."""

    _fetcher: Any = None

    def __init__(self, share: set[TopicPartition]) -> None:
        self._share = share

    def assignment(self) -> set[TopicPartition]:
        return self._share

    async def position(self, tp: TopicPartition) -> int:
        return 7

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[object]]:
        """As with a backlog that it has read ahead: at once."""
        return {tp: [object()] * max_records for tp in self._share}


async def test_between_two_generations_no_position_is_told_that_could_be_committed() -> None:
    reader = RowsReader(Settings(partitions=1))
    share = {TopicPartition(topic, 0) for topic in reader.topics}
    reader._consumer = _Consumer(share)
    reader.on_partitions_assigned(share)
    assert set((await reader.positions()).values()) == {7}
    reader.on_partitions_revoked(share)
    with pytest.raises(Revoked, match="rebalance"):
        await reader.positions()
    reader.on_partitions_assigned(share)
    assert set((await reader.positions()).values()) == {7}


async def test_taking_what_is_read_ahead_lets_heartbeats_and_inserts_have_their_turns() -> None:
    reader = RowsReader(Settings(partitions=1))
    reader._consumer = _Consumer({TopicPartition(reader.topics[0], 0)})
    turns = 0

    async def heartbeats() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    others = asyncio.create_task(heartbeats())
    for _ in range(10):
        await reader.fetch(timeout_ms=20, max_records=5)
    others.cancel()
    assert turns >= 10


async def test_a_client_that_fetches_no_more_is_no_client_without_news() -> None:
    """An error that it does not foresee ends its task, and nobody hears of it."""
    reader = RowsReader(Settings(partitions=1))
    reader._consumer = consumer = _Consumer(set())
    task: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    consumer._fetcher = SimpleNamespace(_closed=False, error_future=task)
    assert await reader.fetch(timeout_ms=20, max_records=5) == {}
    task.set_exception(RuntimeError("out of nowhere"))
    with pytest.raises(FetchingEnded, match=r"fetches no more.*out of nowhere"):
        await reader.fetch(timeout_ms=20, max_records=5)
