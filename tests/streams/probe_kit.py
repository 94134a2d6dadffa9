"""An installation of its own on the broker, whose workers and sinks are played step by step: what the probe must see."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from streams.settings import Settings
from streams.topics import create_topics

PARTITIONS = 2


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Installation:
    """Settings of its own, and hands to do what storefronts, a worker and a sink do."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.topics = settings.topics
        self.sink_group = f"{settings.application}-sink"

    def place(self, topic: str = "click", partition: int = 0) -> TopicPartition:
        """A partition of a source topic."""
        return TopicPartition(self.topics.source(topic), partition)

    def rows(self, partition: int = 0) -> TopicPartition:
        """A partition of the rows topic."""
        return TopicPartition(self.topics.rows, partition)

    async def send(self, place: TopicPartition, *timestamps: int) -> None:
        """One record for each timestamp (ms), without a transaction."""
        producer = AIOKafkaProducer(bootstrap_servers=self.settings.kafka.bootstrap)
        async with producer:
            for timestamp in timestamps:
                await producer.send_and_wait(
                    place.topic, b"{}", key=b"k", partition=place.partition, timestamp_ms=timestamp
                )

    @asynccontextmanager
    async def transaction(self, name: str = "t") -> AsyncIterator[Any]:
        """A producer in a transaction; the block commits or aborts it, else it is left open and aborted by the end."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.settings.kafka.bootstrap,
            transactional_id=f"{self.settings.application}-{name}",
            max_batch_size=200_000,  # more than a probe fetches of a partition at once
        )
        await producer.start()
        await producer.begin_transaction()
        try:
            yield producer
        finally:
            if producer._txn_manager.is_in_transaction():
                await producer.abort_transaction()
            await producer.stop()

    async def put(self, producer: Any, place: TopicPartition, count: int = 1) -> None:
        """Records within the producer's transaction, delivered."""
        for _ in range(count):
            await producer.send_and_wait(place.topic, b"row", key=b"k", partition=place.partition)

    async def commit(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit offsets as a member-less client of the group may."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.settings.kafka.bootstrap, group_id=group, enable_auto_commit=False
        )
        consumer.assign(list(offsets))
        async with consumer:
            await consumer.commit({place: OffsetAndMetadata(offset, "") for place, offset in offsets.items()})


@asynccontextmanager
async def installation(bootstrap: str, directory: Path) -> AsyncIterator[Installation]:
    """All topics of names of their own, empty; both groups have committed nothing."""
    name = uuid4().hex[:8]
    settings = Settings(
        application=f"probed-{name}",
        topic_prefix=f"{name}.",
        partitions=PARTITIONS,
        data_dir=directory,
        kafka={"bootstrap": bootstrap},  # type: ignore[arg-type]
    )
    await create_topics(settings)
    yield Installation(settings)
