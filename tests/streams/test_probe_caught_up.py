"""`caught_up` returns when all that was sent is visible, and not before: worker and sink are played step by step."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError

from streams.caught_up import NotCaughtUp, Progress, caught_up
from tests.streams.probe_kit import Installation, installation, now_ms

pytestmark = pytest.mark.kafka


@pytest.fixture
async def shop(kafka: str, tmp_path: Path) -> AsyncIterator[Installation]:
    async with installation(kafka, tmp_path) as made:
        yield made


class Waiting:
    """A call of `caught_up` under way, with what it said."""

    def __init__(self, shop: Installation) -> None:
        self.said: list[Progress] = []
        self._more = asyncio.Condition()
        self.task = asyncio.create_task(caught_up(shop.settings, timeout_s=60, on_progress=self._note))

    def _note(self, progress: Progress) -> None:
        self.said.append(progress)

    async def waits_for(self, group: str, partitions: int) -> None:
        """It says twice in a row, from now on, that so many partitions of the group are left."""
        begin = len(self.said)
        async with asyncio.timeout(30):
            while True:
                assert not self.task.done(), self.said
                last = [(progress.group, progress.partitions_left) for progress in self.said[begin:][-2:]]
                if last == [(group, partitions)] * 2:
                    return
                await asyncio.sleep(0.02)

    async def ends(self) -> None:
        async with asyncio.timeout(30):
            await self.task


async def test_it_waits_for_the_workers_then_for_the_sinks(shop: Installation) -> None:
    click, order, rows = shop.place("click"), shop.place("order", 1), shop.rows()
    await shop.send(click, now_ms(), now_ms())
    await shop.send(order, now_ms())
    waiting = Waiting(shop)
    worker, sink = shop.settings.application, shop.sink_group
    await waiting.waits_for(worker, 2)

    # Sent after the call: nothing it waits for.
    await shop.send(click, now_ms())
    async with shop.transaction() as producer:
        await shop.put(producer, rows, 2)
        await producer.send_offsets_to_transaction({click: 2}, worker)
        await producer.commit_transaction()
    await waiting.waits_for(worker, 1)
    async with shop.transaction() as producer:
        await shop.put(producer, rows, 1)
        await producer.send_offsets_to_transaction({order: 1}, worker)
        await producer.commit_transaction()
    await waiting.waits_for(sink, 1)

    await shop.commit(sink, {rows: 3})  # behind the first transaction's marker, before the second's row
    await waiting.waits_for(sink, 1)
    # Behind the last row; only its marker is left, which nobody has to commit.
    await shop.commit(sink, {rows: 4})
    await waiting.ends()
    assert waiting.said[-1] == Progress(sink, 0, 1)


async def test_what_workers_send_each_other_is_waited_for_hop_by_hop(shop: Installation) -> None:
    worker, sink, click = shop.settings.application, shop.sink_group, shop.place()
    forwarded = [shop.place("forwarded", partition) for partition in (0, 1)]
    await shop.send(click, now_ms())
    waiting = Waiting(shop)
    await waiting.waits_for(worker, 1)
    offsets, following = {click: 1}, [forwarded[1], forwarded[0], forwarded[1], shop.rows()]
    for hop, place in enumerate(following):
        async with shop.transaction(f"hop-{hop}") as producer:
            await shop.put(producer, place)
            await producer.send_offsets_to_transaction(offsets, worker)
            await producer.commit_transaction()
        await waiting.waits_for(worker if place in forwarded else sink, 1)
        end = 3 if following[:hop].count(place) else 1  # behind the marker of the first one
        offsets = {place: end}
    await shop.commit(sink, offsets)
    await waiting.ends()


async def test_definitions_are_waited_for_as_events_are(shop: Installation) -> None:
    worker, definition = shop.settings.application, shop.place("definition", 1)
    await shop.send(definition, now_ms())
    waiting = Waiting(shop)
    await waiting.waits_for(worker, 1)
    await shop.commit(worker, {definition: 1})
    await waiting.ends()


@pytest.mark.parametrize("error", [KafkaConnectionError, TimeoutError])
async def test_a_broker_that_does_not_say_the_ends_between_stages_is_asked_again(
    shop: Installation, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    ask, asked = AIOKafkaConsumer.end_offsets, 0

    async def sometimes(self: AIOKafkaConsumer, partitions: list[TopicPartition]) -> object:
        nonlocal asked
        asked += 1
        if asked in (2, 3):
            raise error
        return await ask(self, partitions)

    monkeypatch.setattr(AIOKafkaConsumer, "end_offsets", sometimes)
    await caught_up(shop.settings, timeout_s=10)
    assert asked > 3

    async def never(self: AIOKafkaConsumer, partitions: list[TopicPartition]) -> object:
        raise error

    monkeypatch.setattr(AIOKafkaConsumer, "end_offsets", never)
    with pytest.raises(NotCaughtUp, match="the ends of what group"):
        await caught_up(shop.settings, timeout_s=0.3)


async def test_nothing_sent_is_caught_up_at_once(shop: Installation) -> None:
    await caught_up(shop.settings, timeout_s=10)


async def test_records_of_an_open_transaction_are_waited_for(shop: Installation) -> None:
    click = shop.place("click")
    async with shop.transaction() as producer:
        await shop.put(producer, click, 2)
        waiting = Waiting(shop)
        # What is hidden can't be looked at, so it says nothing yet; but it must not end.
        done, _ = await asyncio.wait([waiting.task], timeout=1.5)
        assert not done
        await producer.commit_transaction()
    await waiting.waits_for(shop.settings.application, 1)
    await shop.commit(shop.settings.application, {click: 2})
    await waiting.ends()


async def test_an_aborted_transaction_holds_nothing_up(shop: Installation) -> None:
    async with shop.transaction() as producer:
        await shop.put(producer, shop.place("click"), 2)
        await producer.abort_transaction()
    await caught_up(shop.settings, timeout_s=10)


async def test_when_time_is_over_it_names_who_is_behind_and_where(shop: Installation) -> None:
    place = shop.place("cart", 1)
    await shop.send(place, now_ms())
    with pytest.raises(NotCaughtUp) as late:
        await caught_up(shop.settings, timeout_s=0.5)
    assert f"group {shop.settings.application} is still behind in {place.topic}/1 (about 1 records)" in str(
        late.value
    )
