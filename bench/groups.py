"""How far consumer groups are, seen from outside, and topics cleared between two runs."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from bench.stack import Stack
from schemas.topics import Kind
from streams.settings import Settings

POLL_S = 0.1
STALLED_S = 60.0
DELETED_S = 60.0


class Stalled(RuntimeError):
    """A group did not get to the end of its topics. Says how far it is."""


class Groups:
    """Ends of topics and positions of groups. Made by `watching`."""

    def __init__(self, consumer: Any, admin: Any) -> None:
        self._consumer = consumer
        self._admin = admin

    async def ends(self, topics: Sequence[str], partitions: int) -> dict[TopicPartition, int]:
        """Next offset to be written, of every partition of these topics."""
        places = [TopicPartition(topic, number) for topic in topics for number in range(partitions)]
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(places)
        return ends

    async def lag(self, group: str, ends: dict[TopicPartition, int]) -> dict[TopicPartition, int]:
        """Offsets between what the group has committed and these ends; only of those that are behind."""
        committed = await self._admin.list_consumer_group_offsets(group, partitions=list(ends))
        lag = {
            place: end - max(0, committed[place].offset) if place in committed else end
            for place, end in ends.items()
        }
        return {place: behind for place, behind in lag.items() if behind > 0}

    async def until_at(self, group: str, ends: dict[TopicPartition, int]) -> None:
        """Wait until the group has committed up to these ends. Stalled when it gets no further for a minute."""
        least, moved_at = None, time.monotonic()
        while behind := await self.lag(group, ends):
            lag = sum(behind.values())
            if least is None or lag < least:
                least, moved_at = lag, time.monotonic()
            elif time.monotonic() - moved_at > STALLED_S:
                places = ", ".join(
                    f"{tp.topic}/{tp.partition}: {lag}" for tp, lag in sorted(behind.items())[:8]
                )
                raise Stalled(
                    f"group {group} has not moved for {STALLED_S:.0f} s, {lag} from the end ({places})"
                )
            await asyncio.sleep(POLL_S)


@asynccontextmanager
async def watching(stack: Stack) -> AsyncIterator[Groups]:
    """A view of the broker for the length of a block."""
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.bootstrap, group_id=None)
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.bootstrap)
    try:
        await consumer.start()
        await admin.start()
        yield Groups(consumer, admin)
    finally:
        await consumer.stop()
        await admin.close()


async def clear_outputs(stack: Stack, settings: Settings) -> None:
    """Everything but the source topics is made anew, so that a run reads nothing of the one before it."""
    topics = settings.topics.all()
    outputs = [topic.name for topic in topics if topic.kind is not Kind.SOURCE]
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=stack.bootstrap)
    await admin.start()
    try:
        await delete_topics(admin, outputs)
    finally:
        await admin.close()
    await stack.make_topics(settings)


async def delete_topics(admin: Any, names: Sequence[str]) -> None:
    """Those of them that exist; returns when none is left. TimeoutError after a minute."""
    gone = set(await admin.list_topics()).intersection(names)
    if gone:
        await admin.delete_topics(sorted(gone))
    async with asyncio.timeout(DELETED_S):
        while gone.intersection(await admin.list_topics()):
            await asyncio.sleep(POLL_S)
