"""A join that failed: aiokafka keeps the error for whoever polls next, and a worker without partitions polls nothing."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import KafkaError

from streams.engine.fetch_task import FetchingEnded
from streams.engine.fetching import ChunkThread
from streams.engine.transport import ChunkConsumer


class Ended(Exception):
    """Stands for the end of the process."""


class Engine:
    """Notes whether the timer came as far as the epochs."""

    closed = False
    ticks = 0

    async def tick(self) -> None:
        self.ticks += 1

    def exit(self, doing: str, error: BaseException) -> None:
        raise Ended(f"{doing}: {error}")


async def consumer_of(coordination: "asyncio.Task[None]", pending: BaseException | None) -> Any:
    """The consumer beside a coordinator in this state; the names are aiokafka's own."""
    assert {"check_errors", "_push_error_to_user"} <= vars(GroupCoordinator).keys()
    thread: Any = ChunkThread.__new__(ChunkThread)
    coordinator = SimpleNamespace(_pending_exception=pending, _coordination_task=coordination)
    thread._consumer = SimpleNamespace(_coordinator=coordinator)
    consumer: Any = ChunkConsumer.__new__(ChunkConsumer)
    consumer._thread, consumer.engine = thread, Engine()
    return consumer


async def nothing() -> None:
    """Coordinates."""


async def failing() -> None:
    raise KafkaError("Unexpected error during coordination")


async def test_a_healthy_group_lets_the_epochs_begin() -> None:
    coordination = asyncio.create_task(nothing())
    consumer = await consumer_of(coordination, None)
    await consumer.commit()
    await coordination
    await consumer.commit()
    assert consumer.engine.ticks == 2


async def test_an_error_that_waits_for_a_poll_ends_the_worker() -> None:
    coordination = asyncio.create_task(nothing())
    consumer = await consumer_of(coordination, KafkaError("UnknownError()"))
    with pytest.raises(Ended, match=r"the group can't be kept or joined: .*UnknownError"):
        await consumer.commit()
    await coordination


async def test_the_end_of_the_coordination_ends_the_worker() -> None:
    coordination = asyncio.create_task(failing())
    await asyncio.wait([coordination])
    consumer = await consumer_of(coordination, None)
    with pytest.raises(Ended, match="Unexpected error during coordination"):
        await consumer.commit()


async def test_a_client_that_fetches_no_more_is_told_by_the_next_fetch() -> None:
    assert "error_future" in vars(Fetcher)
    task = asyncio.create_task(nothing())
    await task
    thread: Any = ChunkThread.__new__(ChunkThread)
    thread._consumer = SimpleNamespace(
        _closed=False, _fetcher=SimpleNamespace(_closed=False, error_future=task)
    )
    with pytest.raises(FetchingEnded, match="fetches no more"):
        await thread._take({}, 0, 0.1)
