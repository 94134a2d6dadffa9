"""Lag on the real broker: under transactions, without a commit, and when nobody answers."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import GroupLoadInProgressError

from deploy.local.ports import free_port
from streams.lag import GroupLag, LagError, LagReader, PartitionLag
from streams.settings import Settings
from tests.streams.probe_kit import Installation, installation, now_ms

pytestmark = pytest.mark.kafka


@pytest.fixture
async def shop(kafka: str, tmp_path: Path) -> AsyncIterator[Installation]:
    async with installation(kafka, tmp_path) as made:
        yield made


@pytest.fixture
async def reader(shop: Installation) -> AsyncIterator[LagReader]:
    async with LagReader(shop.settings) as made:
        yield made


def of(groups: list[GroupLag], place: TopicPartition) -> PartitionLag:
    """What was measured of one partition."""
    (lag,) = (
        lag
        for group in groups
        for lag in group.partitions
        if (lag.topic, lag.partition) == (place.topic, place.partition)
    )
    return lag


async def ended(reader: LagReader, place: TopicPartition, end: int) -> PartitionLag:
    """The lag as soon as the partition ends there: a transaction's markers are written after its end is answered."""
    async with asyncio.timeout(20):
        while (lag := of(await reader.measure(), place)).end < end:
            await asyncio.sleep(0.02)
    assert lag.end == end
    return lag


async def test_every_partition_of_both_groups_is_measured_and_empty_topics_have_no_lag(
    shop: Installation, reader: LagReader
) -> None:
    worker, sink = await reader.measure()
    assert worker.group == shop.settings.application
    assert {lag.topic for lag in worker.partitions} == set(shop.topics.inputs)
    assert sink.group == shop.sink_group
    assert {lag.topic for lag in sink.partitions} == set(shop.topics.sunk)
    for group in (worker, sink):
        assert {lag.partition for lag in group.partitions} == {0, 1}
        assert {(lag.records, lag.seconds(now_ms())) for lag in group.partitions} == {(0, 0.0)}


async def test_lag_is_the_records_after_the_commit_and_the_age_of_the_oldest(
    shop: Installation, reader: LagReader
) -> None:
    place, now = shop.place(), now_ms()
    await shop.send(place, now - 50_000, now - 40_000, now - 30_000)
    await shop.commit(shop.settings.application, {place: 1})
    groups = await reader.measure()
    lag = of(groups, place)
    assert (lag.committed, lag.end, lag.records, lag.oldest_ms) == (1, 3, 2, now - 40_000)
    assert lag.seconds(now) == 40
    assert groups[0].max_seconds(now) == 40
    assert lag.seconds(now - 60_000) == 0  # a producer whose clock is ahead of ours
    await shop.commit(shop.settings.application, {place: 3})
    lag = of(await reader.measure(), place)
    assert (lag.records, lag.oldest_ms) == (0, None)


async def test_a_group_that_never_committed_has_the_whole_log_before_it(
    shop: Installation, reader: LagReader
) -> None:
    """It begins at the earliest record; without a series, a worker that hangs from its start would look fine."""
    place, now = shop.place("order", 1), now_ms()
    await shop.send(place, now - 9_000, now)
    lag = of(await reader.measure(), place)
    assert (lag.committed, lag.records, lag.oldest_ms) == (-1, 2, now - 9_000)


async def test_transaction_markers_are_lag_in_records_but_not_in_seconds(
    shop: Installation, reader: LagReader
) -> None:
    place = shop.rows()
    async with shop.transaction() as producer:
        await shop.put(producer, place, 3)
        await producer.commit_transaction()
    lag = await ended(reader, place, 4)
    assert lag.records == 4
    assert lag.oldest_ms is not None
    await shop.commit(shop.sink_group, {place: 3})  # the last record's offset + 1, as most consumers commit
    for _ in range(2):  # the second answer comes from memory
        lag = of(await reader.measure(), place)
        assert (lag.records, lag.oldest_ms) == (1, None)
    # What comes after the markers counts again.
    now = now_ms()
    await shop.send(place, now - 5_000)
    lag = of(await reader.measure(), place)
    assert (lag.records, lag.oldest_ms) == (2, now - 5_000)


async def test_an_aborted_transaction_is_no_lag_in_seconds_and_an_open_one_none_at_all(
    shop: Installation, reader: LagReader
) -> None:
    place = shop.rows(1)
    async with shop.transaction() as producer:
        await shop.put(producer, place, 5)
        lag = of(await reader.measure(), place)
        assert (lag.end, lag.records, lag.oldest_ms) == (0, 0, None)
        await producer.abort_transaction()
    lag = await ended(reader, place, 6)
    assert (lag.records, lag.oldest_ms) == (6, None)


async def test_offsets_committed_in_a_transaction_count_when_it_is_committed(
    shop: Installation, reader: LagReader
) -> None:
    """As the engine commits them."""
    place = shop.place()
    await shop.send(place, *[now_ms()] * 4)
    async with shop.transaction() as producer:
        await shop.put(producer, shop.rows())
        await producer.send_offsets_to_transaction({place: 4}, shop.settings.application)
        assert of(await reader.measure(), place).records == 4
        await producer.commit_transaction()
        async with asyncio.timeout(20):  # as with other markers
            while of(await reader.measure(), place).records:
                await asyncio.sleep(0.02)


async def test_many_partitions_with_large_batches_are_all_looked_at(
    shop: Installation, reader: LagReader
) -> None:
    """A response holds one batch over the fetch size at most; the others must come with later ones."""
    now, ends = now_ms(), {}
    for partition in (0, 1):
        for topic in ("session", "click", "order"):
            place = shop.place(topic, partition)
            async with shop.transaction(f"{topic}-{partition}") as producer:
                builder = producer.create_batch()
                while builder.append(key=b"k", value=b"x" * 1_000, timestamp=now - 7_000) is not None:
                    pass
                await (await producer.send_batch(builder, place.topic, partition=partition))
                await shop.put(producer, place, 20)
                await producer.commit_transaction()
            ends[place] = builder.record_count() + 21
    for place, end in ends.items():
        assert (await ended(reader, place, end)).oldest_ms == now - 7_000
    async with LagReader(shop.settings) as fresh:  # all at once, nothing remembered
        worker, _ = await fresh.measure()
    assert {lag.oldest_ms for lag in worker.partitions if lag.records} == {now - 7_000}
    assert sum(1 for lag in worker.partitions if lag.records) == len(ends)


async def test_an_offset_beyond_the_end_is_said_aloud_once(
    shop: Installation, reader: LagReader, caplog: pytest.LogCaptureFixture
) -> None:
    place = shop.place()
    await shop.send(place, now_ms())
    await shop.commit(shop.settings.application, {place: 99})
    with caplog.at_level(logging.ERROR, "shopmeter.probe"):
        for _ in range(2):
            assert of(await reader.measure(), place).records == 0
    said = [record.getMessage() for record in caplog.records if record.name == "shopmeter.probe"]
    assert len(said) == 1, said
    assert said[0].startswith(f"{place.topic}/0: group {shop.settings.application} has committed offset 99")


async def test_a_topic_that_is_not_there_is_an_error_in_bounded_time(
    shop: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.lag.MEASURE_TIMEOUT_S", 1.0)
    async with LagReader(shop.settings, {"nobody": ("no-such-topic",)}) as reader:
        with pytest.raises(LagError, match="shopmeter topics check"):
            await reader.measure()


async def test_a_coordinator_that_is_not_ready_is_not_taken_for_a_group_without_offsets(
    shop: Installation, reader: LagReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = shop.place()
    await shop.send(place, now_ms())
    await shop.commit(shop.settings.application, {place: 1})
    ask, answers = reader._admin.list_consumer_group_offsets, [{}, GroupLoadInProgressError()]

    async def not_ready_at_first(*arguments: Any, **options: Any) -> Any:
        if not answers:
            return await ask(*arguments, **options)
        answer = answers.pop(0)  # an empty one is what the client makes of an error for the whole group
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(reader._admin, "list_consumer_group_offsets", not_ready_at_first)
    assert of(await reader.measure(), place).committed == 1
    assert not answers


async def test_without_a_broker_it_fails_at_the_start_and_leaves_nothing_open(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, kafka={"bootstrap": f"127.0.0.1:{free_port()}"})  # type: ignore[arg-type]
    with pytest.raises(Exception, match="Unable to bootstrap"):
        async with LagReader(settings):
            pass
