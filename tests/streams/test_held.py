"""What an open transaction holds back, on the real broker."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streams.held import HeldReader
from streams.lag import LagError
from tests.streams.probe_kit import Installation, installation, now_ms

pytestmark = pytest.mark.kafka


@pytest.fixture
async def shop(kafka: str, tmp_path: Path) -> AsyncIterator[Installation]:
    async with installation(kafka, tmp_path) as made:
        yield made


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """By the probe; the client speaks of topics whose leader it does not know yet."""
    return [record.getMessage() for record in caplog.records if record.name == "shopmeter.probe"]


class Clock:
    """Seconds that pass when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_topic_is_held_back_for_as_long_as_readers_stand_at_one_place(
    shop: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    clock, topic = Clock(), shop.topics.rows
    with caplog.at_level(logging.ERROR, "shopmeter.probe"):
        async with HeldReader(shop.settings, clock) as reader:
            assert set((await reader.measure()).values()) == {0.0}
            async with shop.transaction() as producer:
                await shop.put(producer, shop.rows(1), 2)
                await shop.send(shop.place(), now_ms())  # is seen at once, and holds back nothing
                assert (await reader.measure())[topic] == 0.0
                clock.now += 29
                assert (await reader.measure())[topic] == 29.0
                assert not said(caplog)
                # Three times the transaction timeout: nobody will end it. Said once.
                for seconds in (31, 40):
                    clock.now = seconds
                    held = await reader.measure()
                    assert held.pop(topic) == seconds
                    assert set(held.values()) == {0.0}
                assert said(caplog) == [
                    f"{topic}/1: readers have stood at offset 0 for 31 s, before a transaction that nobody ends"
                ]
                await producer.commit_transaction()
                async with asyncio.timeout(20):  # the markers come after the answer
                    while (await reader.measure())[topic]:
                        await asyncio.sleep(0.02)
                # The next one stands elsewhere.
                await producer.begin_transaction()
                await shop.put(producer, shop.rows(1))
                assert (await reader.measure())[topic] == 0.0
                clock.now += 5
                assert (await reader.measure())[topic] == 5.0


async def test_what_partitions_report_to_each_other_is_watched_too(shop: Installation) -> None:
    clock, topics = Clock(), shop.topics
    async with HeldReader(shop.settings, clock) as reader, shop.transaction() as producer:
        for topic in (topics.progress, topics.forwarded, topics.changelog, topics.dead_letter):
            await producer.send_and_wait(topic, b"", key=b"k", partition=0)
        await reader.measure()
        clock.now = 3.0
        held = await reader.measure()
        assert {topic for topic, seconds in held.items() if seconds == 3.0} == {
            topics.progress,
            topics.forwarded,
            topics.changelog,
            topics.dead_letter,
        }


async def test_a_topic_that_is_not_there_is_an_error_in_bounded_time(
    shop: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.held.MEASURE_TIMEOUT_S", 1.0)
    async with HeldReader(shop.settings.model_copy(update={"topic_prefix": "nobody."})) as reader:
        with pytest.raises(LagError, match="shopmeter topics check"):
            await reader.measure()
