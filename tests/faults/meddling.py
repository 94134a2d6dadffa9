"""What cases do behind the product's back: settings and logs of topics, another clock, another version."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.errors import for_code

from bench.groups import delete_topics
from streams.settings import Settings
from streams.topics import create_topics
from tests.kafka.campaign.visible import read_topic

MAX_REQUEST = 4 * 1_048_576
INSIDE = Path(__file__).with_name("inside")


@asynccontextmanager
async def admin_of(settings: Settings) -> AsyncIterator[Any]:
    """An admin client."""
    admin: Any = AIOKafkaAdminClient(**settings.kafka_client_options())
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


async def configure(settings: Settings, topic: str, changes: Mapping[str, str]) -> None:
    """Give a topic the settings it must have, with these changes. Takes effect at the broker within a moment."""
    wanted = next(each.config for each in settings.topics.all() if each.name == topic)
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs={**wanted, **changes})
    async with admin_of(settings) as admin:
        for response in await admin.alter_configs([resource]):
            for code, message, *_ in response.resources:
                if code:
                    raise RuntimeError(f"{topic}: {for_code(code).__name__} {message}")


@asynccontextmanager
async def altered(settings: Settings, topic: str, **changes: str) -> AsyncIterator[None]:
    """Within, a topic has other settings; dots as underscores: `max_message_bytes="100"`."""
    await configure(settings, topic, {name.replace("_", "."): value for name, value in changes.items()})
    try:
        yield
    finally:
        await configure(settings, topic, {})


async def delete_before(settings: Settings, offsets: Mapping[TopicPartition, int]) -> None:
    """Take away what lies before these offsets, as retention does."""
    async with admin_of(settings) as admin:
        await admin.delete_records({place: RecordsToDelete(offset) for place, offset in offsets.items()})


async def make_anew(settings: Settings, topic: str) -> None:
    """Delete a topic and create it, empty."""
    async with admin_of(settings) as admin:
        await delete_topics(admin, [topic])
    await create_topics(settings)


async def write_again(settings: Settings, topic: str, records: Iterable[Any]) -> None:
    """Records as they were read, to the partitions they were in: into an empty topic, each gets its offset again."""
    async with AIOKafkaProducer(**settings.kafka_client_options(), max_request_size=MAX_REQUEST) as producer:
        sends = [
            await producer.send(
                topic,
                record.value,
                key=record.key,
                partition=record.partition,
                timestamp_ms=record.timestamp,
                headers=list(record.headers),
            )
            for record in records
        ]
        await asyncio.gather(*sends)


async def count_of(settings: Settings, topic: str) -> int:
    """How many committed records a topic holds."""
    return len(await read_topic(settings, topic))


def inside(**what: str) -> dict[str, str]:
    """The environment of a process in which `inside/sitecustomize.py` does this."""
    paths = [str(INSIDE), os.environ.get("PYTHONPATH", "")]
    names = {f"FAULTS_{name.upper()}": value for name, value in what.items()}
    return {"PYTHONPATH": os.pathsep.join(filter(None, paths)), **names}
