"""What ends a hanging transaction: one transaction over all its places, or none."""

import asyncio
from typing import Any

from aiokafka import TopicPartition

from streams.engine.hanging import _abort


class Producer:
    """Notes in which turn of the event loop each place joins."""

    def __init__(self) -> None:
        self.turn = 0
        self.joined: list[tuple[str, int, int]] = []
        self.said: list[str] = []

    async def begin_transaction(self) -> None:
        self.said.append("begin")

    async def partitions_for(self, topic: str) -> set[int]:
        await asyncio.sleep(0)  # the first question about a topic goes to the broker
        return {0, 1}

    async def send(self, topic: str, value: bytes, *, key: bytes, partition: int) -> "asyncio.Future[None]":
        self.joined.append((topic, partition, self.turn))
        return asyncio.ensure_future(asyncio.sleep(0.01))

    async def abort_transaction(self) -> None:
        self.said.append("abort")


async def test_all_places_join_in_one_turn_so_that_one_request_adds_them() -> None:
    """Broken off between two of them, it would end only some, and nothing would tell that the others hang."""
    producer: Any = Producer()

    async def turns() -> None:
        while True:
            await asyncio.sleep(0)
            producer.turn += 1

    counting = asyncio.create_task(turns())
    places = [
        TopicPartition(topic, number) for topic in ("changelog", "rows", "forwarded") for number in (0, 1)
    ]
    await _abort(producer, places)
    counting.cancel()
    assert [(topic, number) for topic, number, _ in producer.joined] == [tuple(place) for place in places]
    assert len({turn for _, _, turn in producer.joined}) == 1
    assert producer.said == ["begin", "abort"]
