"""To a real broker and back: every record, in order, in the partition where any Kafka client would put it."""

import asyncio
from random import Random

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.partitioner import DefaultPartitioner

from deploy.simulator import CLEAN, ProduceError, SimRecord, load_history, new_truth, run_live
from deploy.simulator.partitioning import Partitioner
from schemas.topics import Topics
from tests.deploy.simulator.stories import ROUGH, SMALL, STAMP_MS, play

MESSY = msgspec.structs.replace(SMALL, rates=ROUGH)
PARTITIONS = 4


def test_keys_go_where_kafkas_default_partitioner_sends_them() -> None:
    rng = Random(1)
    default = DefaultPartitioner()
    for count in (1, 3, 8, 96):
        mine = Partitioner(count)
        places = list(range(count))
        for size in range(40):
            key = rng.randbytes(size)
            assert mine(key) == default(key, places, places) == mine(key)
        for text in ("acme|c00001", "acme|señor-0-å", "souk.kw|order:o1-2"):
            assert mine(text.encode()) == default(text.encode(), places, places)


async def _make_topics(bootstrap: str, prefix: str, counts: dict[str, int] | None = None) -> Topics:
    topics = Topics(prefix=prefix)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        made = [
            NewTopic(
                topic.name, (counts or {}).get(topic.name, PARTITIONS), 1, topic_configs=dict(topic.config)
            )
            for topic in topics.all()
            if topic.name in topics.sources
        ]
        await admin.create_topics(made)
    finally:
        await admin.close()
    return topics


async def _read(bootstrap: str, topics: Topics) -> dict[tuple[str, int], list[SimRecord]]:
    """Everything in the source topics, by short topic and partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        places = [
            TopicPartition(name, partition) for name in topics.sources for partition in range(PARTITIONS)
        ]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        found: dict[tuple[str, int], list[SimRecord]] = {}
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for place, records in (await consumer.getmany(timeout_ms=500)).items():
                short = topics.short(place.topic)
                found.setdefault((short, place.partition), []).extend(
                    SimRecord(short, record.key, record.value, record.timestamp) for record in records
                )
        return found
    finally:
        await consumer.stop()


@pytest.mark.kafka
@pytest.mark.parametrize("compression", ["lz4", None])
async def test_a_history_arrives_whole_and_in_order(kafka: str, compression: str | None) -> None:
    topics = await _make_topics(kafka, f"sim-history-{compression}.")
    told: list[tuple[int, int]] = []
    truth = await load_history(
        MESSY, kafka, topics, lambda *sent: told.append(sent), stamped_at_ms=STAMP_MS, compression=compression
    )
    records, same_truth = play(MESSY)
    assert truth == same_truth
    assert told[-1][0] == len(records)
    partition_of = Partitioner(PARTITIONS)
    wanted: dict[tuple[str, int], list[SimRecord]] = {}
    for record in records:
        wanted.setdefault((record.topic, partition_of(record.key)), []).append(record)
    assert await _read(kafka, topics) == wanted


@pytest.mark.kafka
async def test_live_records_keep_the_rate_and_are_all_acknowledged(kafka: str) -> None:
    topics = await _make_topics(kafka, "sim-live.")
    stop, truth = asyncio.Event(), new_truth(SMALL)
    scenario = msgspec.structs.replace(SMALL, rates=CLEAN)
    running = asyncio.create_task(run_live(scenario, kafka, topics, 400, stop, truth))
    await asyncio.sleep(3)
    stop.set()
    assert await running is truth
    found = [record for records in (await _read(kafka, topics)).values() for record in records]
    assert len(found) == truth.records == truth.bucket("accepted")
    seconds = (
        max(record.timestamp_ms for record in found) - min(record.timestamp_ms for record in found)
    ) / 1000
    # The machine may be slow and the pace then does not catch up; it must never be faster than asked for.
    assert 100 < len(found) / seconds < 440
    fullest = max(
        sum(first <= record.timestamp_ms < first + 500 for record in found)
        for first in range(
            min(record.timestamp_ms for record in found), max(r.timestamp_ms for r in found), 250
        )
    )
    assert fullest <= 400 * (0.5 + 0.25) + 8, (
        "half a second holds at most its share and a quarter second's backlog"
    )


@pytest.mark.kafka
async def test_missing_or_uneven_topics_are_refused_before_anything_is_written(kafka: str) -> None:
    topics = await _make_topics(kafka, "sim-uneven.", {"sim-uneven.click": 2})
    with pytest.raises(ProduceError, match=r"sim-uneven\.click': 2"):
        await load_history(SMALL, kafka, topics)


@pytest.mark.kafka
async def test_a_limit_cuts_the_history_and_its_truth(kafka: str) -> None:
    topics = await _make_topics(kafka, "sim-limit.")
    truth = await load_history(SMALL, kafka, topics, limit=777)
    assert truth.records == sum(len(records) for records in (await _read(kafka, topics)).values()) == 777
