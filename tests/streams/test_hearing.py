"""The progress topic on a real broker: what was reported before, at once; what is reported since, in order."""

import asyncio
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from schemas.topics import Topics
from streams.engine.hearing import hear_reports
from streams.engine.options import EngineOptions
from streams.settings import KafkaSettings, Settings
from streams.topics import create_topics

pytestmark = pytest.mark.kafka


async def test_reports_are_heard_in_the_order_of_their_commits_and_aborted_ones_never(kafka: str) -> None:
    name = f"h{uuid4().hex[:8]}"
    settings = Settings(
        application=name, topic_prefix=f"{name}.", partitions=3, kafka=KafkaSettings(bootstrap=kafka)
    )
    await create_topics(settings)
    topic = settings.topics.progress

    async def report(partition: int, *values: bytes, commit: bool = True) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=f"{name}-{partition}")
        await producer.start()
        try:
            await producer.begin_transaction()
            for value in values:
                await producer.send_and_wait(topic, value, key=b"%d" % partition, partition=0)
            await (producer.commit_transaction() if commit else producer.abort_transaction())
        finally:
            await producer.stop()

    heard: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
    options = EngineOptions(Topics(f"{name}.", name), 3, "0", {"bootstrap_servers": kafka})
    await report(0, b"early", b"late")
    await report(2, b"never", commit=False)
    await report(1, b"early")
    hearing = asyncio.create_task(hear_reports(options, lambda *said: heard.put_nowait(said)))
    try:
        async with asyncio.timeout(20):
            assert [await heard.get(), await heard.get()] == [(0, b"late"), (1, b"early")]
            await report(2, b"never", commit=False)
            await report(2, b"first", b"second")
            await report(0, b"third")
            assert [await heard.get() for _ in range(3)] == [(2, b"first"), (2, b"second"), (0, b"third")]
    finally:
        hearing.cancel()
        await asyncio.wait([hearing])
