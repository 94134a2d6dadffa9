"""Topics that take nothing, or have lost what they had: dead letters and rows refused, logs cut at either end."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata

from schemas.topics import SOURCES
from tests.faults.bare import Bare, next_end, open_bare, together
from tests.faults.matrix import case
from tests.faults.meddling import (
    admin_of,
    altered,
    count_of,
    delete_before,
    make_anew,
    write_again,
)
from tests.faults.play import Play, under_load
from tests.faults.processes import FATAL
from tests.faults.stage import Outcome, Stage
from tests.kafka.campaign.members import Member
from tests.kafka.campaign.visible import read_topic

CONFIG = 78
# `min.insync.replicas` would not do: a broker takes no more for needed than a topic has replicas.
REFUSAL = {"max_message_bytes": "100"}
RECORDS = 6_000


@case(
    "F11 the dead-letter topic takes nothing",
    "exits, commits nothing past it, goes on with it",
    short=2,
    long=10,
)
async def dead_letters_refused(stage: Stage, times: int) -> Outcome:
    """Whatever is committed past a dead letter that is not written is missing in the end."""

    async def fault(play: Play) -> None:
        settings = play.shop.settings
        topic = settings.topics.dead_letter
        for _ in range(times):
            await play.pause(0.5, 2.0)
            before = len(play.worker.exits)
            async with altered(settings, topic, **REFUSAL):
                await play.dies(play.worker, before, seconds=120)
                letters = await count_of(settings, topic)
                await play.pause(3.0, 8.0)
                more = await count_of(settings, topic) - letters
                play.expect(not more, f"{more} dead letters were committed although the topic takes none")
            await play.works_again(time.monotonic(), seconds=180)
        expect_exits(play)

    return await under_load(stage, times, fault)


@case("F12 the rows topic takes nothing", "exits, commits nothing, goes on with it", short=2, long=20)
async def rows_refused(stage: Stage, times: int) -> Outcome:
    async def fault(play: Play) -> None:
        settings = play.shop.settings
        for _ in range(times):
            await play.pause(0.5, 2.0)
            before = len(play.worker.exits)
            async with altered(settings, settings.topics.rows, **REFUSAL):
                await play.dies(play.worker, before, seconds=120)
                began = time.monotonic()
                await play.pause(3.0, 8.0)
                last = max(map(play.moving.last, play.moving.partitions))
                play.expect(last < began + 0.5, "something was committed although its rows were refused")
            await play.works_again(time.monotonic(), seconds=180)
        expect_exits(play)

    return await under_load(stage, times, fault)


def expect_exits(play: Play) -> None:
    """Deliveries that fail end the worker with 70; the next one may find the topic's settings wrong, and end with 78."""
    play.figures["deaths"] = len(play.worker.exits)
    others = set(play.worker.exits) - {FATAL, CONFIG}
    play.expect(not others, f"the worker ended with {others}")


@asynccontextmanager
async def worked_off(stage: Stage, number: int) -> AsyncIterator[Bare]:
    """An installation that has worked off what there was; its worker is stopped, its sink is not."""
    async with open_bare(stage, seed=number + 1) as bare:
        await bare.shop.sink()
        worker = await bare.shop.worker()
        await bare.load.run(limit=RECORDS)
        await bare.shop.caught_up()
        await worker.leave()
        yield bare


@case(
    "F19 a source topic is cut at its end",
    "refused in words; exact with the topic brought back",
    short=1,
    long=5,
)
async def cut_at_the_end(stage: Stage, times: int) -> Outcome:
    """It is made anew, as after an unclean election of an empty replica, and mended from a copy."""
    outcomes = []
    for number in range(times):
        async with worked_off(stage, number) as bare:
            settings, load = bare.shop.settings, bare.load
            topic = settings.topics.source(SOURCES[(number + 1) % len(SOURCES)])
            copy = await read_topic(settings, topic)
            await make_anew(settings, topic)
            worker = await bare.shop.worker()
            await refuses(bare, worker, "truncated or made anew")
            await write_again(settings, topic, copy)
            await bare.shop.worker()
            await load.run(limit=RECORDS)
            outcomes.append(await bare.outcome(1))
    return together(outcomes)


async def refuses(bare: Bare, worker: Member, words: str) -> None:
    """The worker ends itself with 70 and these words; then it is taken away."""
    code = await next_end(worker)
    bare.expect(code == FATAL, f"ended with {code}")
    bare.expect(words in worker.tail(400), f"the worker does not say {words!r}: {worker.tail(5)}")
    await worker.leave(kill=True)


@case("F19 retention took what was not read", "told, counted; the rest exact", short=1, long=5)
async def cut_at_the_beginning(stage: Stage, times: int) -> Outcome:
    outcomes = []
    for number in range(times):
        async with worked_off(stage, number) as bare:
            settings, load = bare.shop.settings, bare.load
            await load.run(limit=RECORDS)
            sources = await bare.shop.sources()
            async with admin_of(settings) as admin:
                committed: dict[TopicPartition, OffsetAndMetadata] = await admin.list_consumer_group_offsets(
                    settings.application
                )
            cuts = {
                place: at.offset + 20
                for place, at in committed.items()
                if settings.topics.short(place.topic) in ("click", "impression")
            }
            await delete_before(settings, cuts)
            lost = {
                (settings.topics.short(place.topic), place.partition, offset)
                for place, end in cuts.items()
                for offset in range(committed[place].offset, end)
            }
            kept = [record for record in sources if record.origin not in lost]
            bare.expect(len(kept) == len(sources) - 20 * len(cuts), "not so many records could be deleted")
            worker = await bare.shop.worker()
            await worker.works()
            told = worker.tail(400).count("records were deleted by retention before they were read")
            bare.expect(told == len(cuts), f"{len(cuts)} partitions lost records, {told} are told")
            bare.figures["records_lost"] = len(lost)
            outcomes.append(await bare.outcome(1, sources=kept))
    return together(outcomes)
