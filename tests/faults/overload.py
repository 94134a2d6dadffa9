"""More work than is usual: ten times the rate, one person who makes most of it, backlogs of a million and of a month.

Memory stays bounded, no partition moves, and all of it is worked off.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from zlib import crc32

import msgspec

from deploy.simulator.wire import SimRecord
from schemas.topics import SOURCES
from tests.faults.bare import Bare, open_bare
from tests.faults.matrix import case
from tests.faults.memory import resident_mb
from tests.faults.play import Play, under_load
from tests.faults.stage import Outcome, Stage
from tests.kafka.campaign.load import Load
from tests.kafka.campaign.members import Member
from tests.kafka.campaign.report import DRAIN_SECONDS

WORKER_MOST_MB = 512.0
HOT_SHARE = 0.8
HOT_ID = "of-a-kiosk"
MONTH_DAYS = 30.0
# A month of so few people that each has a history.
MONTH_PEOPLE = 3_000
# What is read later than the others holds nothing back once it is all there: the rare topics first, the busy ones last.
WORST_ORDER = tuple(reversed(SOURCES))
CROWD = 20_000
BACKLOG_EVENTS = 50_000


@asynccontextmanager
async def watched(play: Play | Bare, worker: Member) -> AsyncIterator[None]:
    """Within, the worker's memory is sampled; at the end it must have been bounded, and no partition have moved."""
    most = 0.0

    async def sample() -> None:
        nonlocal most
        while True:
            most = max(most, resident_mb([worker]))
            await asyncio.sleep(0.5)

    sampling = asyncio.create_task(sample())
    try:
        yield
    finally:
        sampling.cancel()
        await asyncio.wait([sampling])
    most = max(most, play.figures.get("worker_memory_most_mb", 0.0))
    play.figures["worker_memory_most_mb"] = most
    play.expect(most <= WORKER_MOST_MB, f"the worker took {most} MB")
    play.expect(worker.unasked == [], f"the worker ended by itself: {worker.unasked}")
    assigned = worker.log.read_text().count("processing partitions ")
    play.expect(assigned == worker.starts, f"{assigned} assignments in {worker.starts} lives")


@case("F15 a backlog, then ten times the rate", "memory bounded, no rebalance, drains", short=1, long=3)
async def overload(stage: Stage, times: int) -> Outcome:
    backlog_s = 15.0 if times == 1 else 120.0

    async def fault(play: Play) -> None:
        assert isinstance(play.load, Load)
        for _ in range(times):
            await play.worker.leave()
            await asyncio.sleep(backlog_s)
            rate = 9 * stage.rate
            burst = asyncio.create_task(play.load.run(rate=rate, limit=int(rate * backlog_s)))
            play.workers[0] = await play.shop.worker()
            async with watched(play, play.worker):
                await burst
                await play.works_again(time.monotonic())

    return await under_load(stage, times, fault)


@case(
    "F15 a hot key: one person makes 80 % of all records",
    "memory bounded, no rebalance, drains",
    short=1,
    long=6,
)
async def hot_key(stage: Stage, times: int) -> Outcome:
    """`times`: half minutes."""

    async def fault(play: Play) -> None:
        async with watched(play, play.worker):
            for _ in range(times):
                await asyncio.sleep(30.0)
                await play.works_again(time.monotonic())

    return await under_load(stage, times, fault, change=mostly_one_person)


def mostly_one_person(records: Iterator[SimRecord]) -> Iterable[SimRecord]:
    """Of what people do in a store, four of five become one customer's: a kiosk, or a robot that is logged in."""
    for record in records:
        hot = None
        # By what it says, not by lot: a duplicate must stay its original's twin.
        if crc32(record.value) < HOT_SHARE * 2**32:
            # Bytes that are no UTF-8 and what nests too deeply are no errors of msgspec's own.
            with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                hot = _as_hot(record, msgspec.json.decode(record.value))
        yield hot or record


def _as_hot(record: SimRecord, value: object) -> SimRecord | None:
    """None: it is nobody's, as some of the poison is."""
    if not isinstance(value, dict) or not {"customer_id", "anonymous_id"} & value.keys():
        return None
    value.pop("anonymous_id", None)
    value["customer_id"] = HOT_ID
    key = record.key
    if key is not None and b"|" in key:
        key = key.split(b"|", 1)[0] + b"|" + HOT_ID.encode()
    return record._replace(key=key, value=msgspec.json.encode(value))


@case("F15 a backlog of a million events", "memory bounded, no rebalance, drains", short=1, long=20)
async def million(stage: Stage, times: int) -> Outcome:
    """`times`: 50,000 events."""
    events = BACKLOG_EVENTS * times
    # The estimate of a history is a few percent off.
    async with open_bare(stage, events=int(events * 1.1), people=CROWD) as bare:
        await bare.load.run(limit=events)
        await works_off(bare)
        return await bare.outcome(times)


@case(
    "F15 30 days of backlog, written topic after topic", "memory bounded, no rebalance, nothing too late",
    short=1, long=8,
)  # fmt: skip
async def month(stage: Stage, times: int) -> Outcome:
    """`times`: 25,000 events. A record that was misrouted is too late by right where it is forwarded to."""
    events = BACKLOG_EVENTS // 2 * times
    async with open_bare(
        stage, change=topic_after_topic, events=events, people=MONTH_PEOPLE, days=MONTH_DAYS
    ) as bare:
        await bare.load.run()
        await works_off(bare)
        outcome = await bare.outcome(times)
        bare.figures["too_late"] = outcome.finding.counts["too_late"]
        return outcome


def topic_after_topic(records: Iterator[SimRecord]) -> Iterable[SimRecord]:
    """The whole history sorted by topic, the rare ones first."""
    return sorted(
        records, key=lambda record: WORST_ORDER.index(record.topic) if record.topic in WORST_ORDER else 0
    )


async def works_off(bare: Bare) -> None:
    """Start worker and sink on what lies there, and see it become visible."""
    began = time.monotonic()
    worker = await bare.shop.worker()
    await bare.shop.sink()
    async with watched(bare, worker):
        await bare.shop.caught_up(seconds=DRAIN_SECONDS)
    seconds = time.monotonic() - began
    bare.figures |= {"visible_after_s": round(seconds, 1), "events_per_s": round(bare.load.sent / seconds)}
