"""What is done by hand, on a real broker: noted with what was sent or not at all, and by one person at a time."""

from pathlib import Path

import pytest
from aiokafka.errors import KafkaError, KafkaTimeoutError

from schemas.topics import SOURCES
from streams import interventions
from streams.interventions import Coordinates, Kind, Placed, open_desk, read_interventions, read_skips
from streams.settings import Settings
from streams.topics import create_topics
from tests.kafka.campaign.visible import read_topic
from tests.sinks.kafka_kit import settings_for

pytestmark = pytest.mark.kafka

PLACE = Coordinates("click", 1, 77)


def record(settings: Settings, value: bytes) -> Placed:
    topic = settings.topics.source("click")
    return Placed(topic, 1, b"acme|d", value, 1_767_262_860_000, [("a", b"\xff"), ("a", b"")])


async def test_before_the_topic_exists_nothing_was_done(kafka: str, tmp_path: Path) -> None:
    assert await read_skips(settings_for(kafka, tmp_path)) == {}


async def test_what_is_done_is_remembered_with_what_was_sent(kafka: str, tmp_path: Path) -> None:
    settings = settings_for(kafka, tmp_path)
    await create_topics(settings)
    async with open_desk(settings) as desk:
        await desk.do(Kind.SKIP, [PLACE, Coordinates("order", 0, 5)])
        await desk.do(Kind.REPLAY, [PLACE], [record(settings, b"one")])
        assert desk.is_done(Kind.REPLAY, PLACE)
    async with open_desk(settings) as desk:
        assert desk.is_done(Kind.SKIP, PLACE)
        assert not desk.is_done(Kind.REPLAY, Coordinates("click", 1, 78))
    assert await read_skips(settings) == {("click", 1): frozenset({77}), ("order", 0): frozenset({5})}
    (sent,) = await read_topic(settings, settings.topics.source("click"))
    assert (sent.partition, sent.key, sent.value, sent.timestamp) == (1, b"acme|d", b"one", 1_767_262_860_000)
    assert list(sent.headers) == [("a", b"\xff"), ("a", b"")]


async def test_a_topic_that_says_nothing_is_an_error_of_one_line(
    kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(kafka, tmp_path)
    await create_topics(settings)
    monkeypatch.setattr(interventions, "READ_TIMEOUT_S", 0.0)
    with pytest.raises(KafkaTimeoutError, match="nothing came for"):
        await read_interventions(settings)


async def test_what_fails_leaves_neither_record_nor_note(kafka: str, tmp_path: Path) -> None:
    settings = settings_for(kafka, tmp_path)
    await create_topics(settings)
    async with open_desk(settings) as desk:
        with pytest.raises(KafkaError):
            # The second is larger than its topic takes, which the broker finds out after it has the first.
            await desk.do(
                Kind.REPLAY, [PLACE], [record(settings, b"one"), record(settings, b"x" * 2_000_000)]
            )
    # To open it waits until the last transaction has ended: the broker answers before others see what was committed.
    async with open_desk(settings):
        assert await read_interventions(settings) == []
        for topic in SOURCES:
            assert await read_topic(settings, settings.topics.source(topic)) == []


async def test_who_opens_the_desk_ends_the_work_of_who_had_it(kafka: str, tmp_path: Path) -> None:
    settings = settings_for(kafka, tmp_path)
    await create_topics(settings)
    async with open_desk(settings) as first:
        async with open_desk(settings) as second:
            await second.do(Kind.REPLAY, [PLACE], [record(settings, b"one")])
        with pytest.raises(KafkaError):
            await first.do(Kind.REPLAY, [PLACE], [record(settings, b"one")])
    async with open_desk(settings):  # waits for the end of what was committed
        assert len(await read_topic(settings, settings.topics.source("click"))) == 1
