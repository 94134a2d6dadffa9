"""Rows topics on a real broker, a producer that writes as the worker does, and a sink to watch."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from msgspec import Struct

from schemas.tables import TABLES
from schemas.topics import row_key
from sinks.base import Sink
from sinks.telemetry import NoTelemetry
from streams.settings import ClickHouseSettings, KafkaSettings, Settings, SinkSettings
from streams.sink import run_sink
from streams.topics import create_topics
from tests.sinks.making import encode
from tests.sinks.reading import TABLE_OF

PARTITIONS = 2
PATIENCE_S = 40.0


class Notes(NoTelemetry):
    """What a sink told."""

    def __init__(self) -> None:
        self.failures: list[tuple[str, int]] = []
        self.inserted: list[tuple[str, int]] = []
        self.visible: dict[str, int] = {}
        self.is_ready = False

    def on_insert(self, table: str, rows: int, seconds: float) -> None:
        self.inserted.append((table, rows))

    def on_failure(self, table: str, code: int) -> None:
        self.failures.append((table, code))

    def on_visible(self, table: str, record_time_ms: int) -> None:
        self.visible[table] = record_time_ms

    def ready(self, is_ready: bool) -> None:
        self.is_ready = is_ready


def settings_for(
    kafka: str, tmp_path: Path, *, url: str = "http://127.0.0.1:1", database: str = "none"
) -> Settings:
    """Settings of an installation of its own on the shared broker."""
    name = f"sink-{uuid4().hex[:8]}"
    return Settings(
        application=name,
        topic_prefix=f"{name}.",
        partitions=PARTITIONS,
        data_dir=tmp_path,
        kafka=KafkaSettings(bootstrap=kafka),
        clickhouse=ClickHouseSettings(url=url, database=database),
        sink=SinkSettings(batch_max_wait_ms=100),
    )


async def until(condition: Callable[[], bool | Awaitable[bool]], what: str) -> None:
    """Wait for it, or fail saying what did not come."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                answer = condition()
                if answer if isinstance(answer, bool) else await answer:
                    return
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"not within {PATIENCE_S:.0f} s: {what}") from None


@asynccontextmanager
async def running(
    settings: Settings, sink: Sink | None = None, notes: Notes | None = None
) -> AsyncIterator[Notes]:
    """A sink in this loop, stopped in an orderly way at the end; what ends it early is raised."""
    notes = notes or Notes()
    stop = asyncio.Event()
    task = asyncio.create_task(run_sink(settings, telemetry=notes, sink=sink, stop=stop))
    try:
        await until(lambda: notes.is_ready or task.done(), "partitions")
        yield notes
    finally:
        stop.set()
        await asyncio.wait_for(task, 12)


class Writer:
    """Writes rows in transactions, one a call, as an epoch does."""

    def __init__(self, settings: Settings, producer: Any) -> None:
        self.settings = settings
        self.producer = producer

    async def epoch(self, *rows: Struct, partition: int = 0, commit: bool = True) -> None:
        """All rows in one transaction, in order."""
        await self.producer.begin_transaction()
        for row in rows:
            await self._send(row, partition)
        await (self.producer.commit_transaction() if commit else self.producer.abort_transaction())

    async def _send(self, row: Any, partition: int) -> None:
        table = TABLES[TABLE_OF[type(row)]]
        key = "|".join(str(getattr(row, name)) for name in table.key).encode()
        topics = self.settings.topics
        await self.raw(topics.rows, encode(row), key=row_key(table.name, key), partition=partition)

    async def raw(self, topic: str, value: bytes | None, **options: Any) -> None:
        """Any record, within a transaction."""
        await (await self.producer.send(topic, value, **options))


@asynccontextmanager
async def writer(settings: Settings) -> AsyncIterator[Writer]:
    """Topics made, a transactional producer connected."""
    await create_topics(settings)
    producer = AIOKafkaProducer(
        **settings.kafka_client_options(), transactional_id=f"{settings.application}-w", linger_ms=0
    )
    await producer.start()
    try:
        yield Writer(settings, producer)
    finally:
        await producer.stop()


async def lag(settings: Settings, topics: Iterable[str]) -> int:
    """Offsets between what the sink group has committed and the ends, transaction markers included."""
    consumer = AIOKafkaConsumer(**settings.kafka_client_options(), group_id=f"{settings.application}-sink")
    await consumer.start()
    try:
        places = [TopicPartition(topic, partition) for topic in topics for partition in range(PARTITIONS)]
        ends = await consumer.end_offsets(places)
        return sum([ends[place] - (await consumer.committed(place) or 0) for place in places])
    finally:
        await consumer.stop()
