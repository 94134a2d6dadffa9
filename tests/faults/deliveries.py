"""Deliveries that fail, one an epoch: refused by the broker, or without an answer in time.

A worker dies of the first, so a thousand of them would be hours of starts. Here the commit itself is called as the engine
calls it, on a producer of its own each time, as in a process of its own.
"""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import Any

from aiokafka import TopicPartition

from schemas.epoch import Epoch, Outgoing, Stored
from schemas.topics import SOURCES
from streams.app import engine_options
from streams.engine.epochs import Cut, commit, make_producer
from streams.engine.state import MemoryStore
from streams.lag import LagReader
from streams.settings import Settings
from tests.faults.bare import open_bare
from tests.faults.matrix import case
from tests.faults.meddling import altered
from tests.faults.proxy import Wire
from tests.faults.stage import Outcome, Stage
from tests.faults.topics import REFUSAL
from tests.kafka.campaign.report import KEPT, Finding
from tests.kafka.campaign.visible import read_topic

# Alone more than a topic takes that refuses.
VALUE = bytes(300)
PARTITION = 0
SOURCE = SOURCES[0]
TABLE = "sessions"
UNANSWERED = "unanswered"
SETTLING = 50
STALL_TIMEOUT_MS = 400
# The wire stands still at a random moment among the steps of a commit, which take some ten milliseconds.
STALL_WITHIN_S = 0.015
WIRES = (Wire.HELD, Wire.NO_ANSWERS)


class Lives:
    """Lives of one partition's owner. Each takes one source record more than is committed, and writes to all topics."""

    def __init__(self, stage: Stage, settings: Settings, groups: LagReader) -> None:
        self.count = 0
        self.failed: Counter[str] = Counter()
        """By what was done: the topic that refused, or `unanswered`."""
        self.wrong: list[str] = []
        self._stage = stage
        self._settings = settings
        self._groups = groups
        self._took: dict[int, int] = {}
        """Life -> the offset that it was to commit."""
        self._done: set[int] = set()
        self._refused: set[int] = set()

    async def live(self, fault: str = "", *, stall_after: float = 0.0, wire: Wire = Wire.WHOLE) -> None:
        """One commit, under a fault that is so called. `stall_after`: seconds until the wire is as `wire`."""
        options = engine_options(self._settings)
        if wire != Wire.WHOLE:
            options = replace(options, commit_timeout_ms=STALL_TIMEOUT_MS)
        # Its start ends what the last life left open, so what is committed then stays so.
        producer = make_producer(options, PARTITION)
        await producer.start()
        offset = await self.committed() + 1
        self.count += 1
        self._took[self.count] = offset
        stall = asyncio.get_running_loop().call_later(stall_after, self._stage.wire.set, wire)
        try:
            await commit(_cut(self.count, offset), producer=producer, partition=PARTITION, options=options)
            self._done.add(self.count)
        except Exception as error:
            if not fault:
                raise
            self.failed[fault] += 1
            if fault != UNANSWERED:
                self._refused.add(self.count)
                if (now := await self.committed()) >= offset:
                    self.wrong.append(f"life {self.count}: {now} is committed in spite of {error!r}")
        finally:
            stall.cancel()
            self._stage.wire.set(Wire.WHOLE)
            await _abandon(producer)

    async def committed(self) -> int:
        """The source offset."""
        found = await self._groups.committed(self._settings.application)
        return max(0, found[TopicPartition(self._settings.topics.source(SOURCE), PARTITION)])

    async def check(self) -> dict[str, int]:
        """Every committed offset is of one life, which is in all topics; no refused one is in any. Counts of both."""
        committed = await self.committed()
        topics, seen = self._settings.topics, {}
        for topic in (topics.changelog, topics.dead_letter, topics.rows):
            keys = [record.key or b"" for record in await read_topic(self._settings, topic)]
            seen[topic] = sorted(int(key.rsplit(b"life-", 1)[1]) for key in keys if b"life-" in key)
        lives = seen[topics.rows]
        for topic, others in seen.items():
            if others != lives:
                self.wrong.append(
                    f"{topic} has the lives {sorted({*others} ^ {*lives})[:9]}, rows has not, or reverse"
                )
        taken = [self._took[life] for life in lives]
        if taken != list(range(1, committed + 1)):
            self.wrong.append(f"committed is {committed}, but rows are of the offsets {taken[:99]}")
        if passed := self._refused.intersection(lives):
            self.wrong.append(f"lives {sorted(passed)[:9]} were refused, and are visible")
        if lost := self._done.difference(lives):
            self.wrong.append(f"lives {sorted(lost)[:9]} have committed, and are not visible")
        return {"committed": committed, "committed_although_unanswered": len(set(lives) - self._done)}


def _cut(life: int, offset: int) -> Cut:
    name = b"life-%d" % life
    epoch = Epoch(
        meta=b"",
        state={b"s" + name: Stored(0, VALUE)},
        seen=(),
        rows={TABLE: [(name, VALUE)]},
        outgoing=[Outgoing("dead-letter", name, VALUE, int(time.time() * 1000))],
        expire_before_day=0,
        report=VALUE,
    )
    pending = MemoryStore(PARTITION).begin(epoch, number=life, offsets={SOURCE: offset})
    return Cut(epoch, pending, {SOURCE: offset}, {}, 0.0, 0, 1)


async def _abandon(producer: Any) -> None:
    """As when its process ends: an orderly stop would write what the commit did not."""
    sender = producer._sender.sender_task
    sender.cancel()
    with suppress(Exception, asyncio.CancelledError):
        await sender
    await producer.client.close()
    producer._closed = True


@case(
    "F12 deliveries fail one by one, refused by each topic or unanswered", "no commit passes one",
    short=50, long=1_000,
)  # fmt: skip
async def deliveries(stage: Stage, times: int) -> Outcome:
    """`times`: epochs of which a delivery failed, a fifth each for four topics that refuse and for no answer in time."""
    began, fifth = time.monotonic(), max(1, times // 5)
    async with open_bare(stage) as bare:
        settings = bare.shop.settings
        topics = settings.topics
        async with LagReader(settings, {settings.application: [topics.source(SOURCE)]}) as groups:
            lives = Lives(stage, settings, groups)
            for topic in (topics.changelog, topics.dead_letter, topics.rows, topics.progress):
                await lives.live()
                async with altered(settings, topic, **REFUSAL):
                    # The first may come before the topic refuses; if none ever fails, the check says what they did.
                    for _ in range(2 * fifth + SETTLING):
                        if lives.failed[topic] < fifth:
                            await lives.live(topic)
            for _ in range(5 * fifth):
                if lives.failed[UNANSWERED] >= fifth:
                    break
                after, wire = bare.chance.uniform(0.0, STALL_WITHIN_S), WIRES[lives.count % len(WIRES)]
                await lives.live(UNANSWERED, stall_after=after, wire=wire)
            await lives.live()
            counts = await lives.check()
    counts |= {topics.short(what): count for what, count in lives.failed.items()}
    finding = Finding(
        sent=lives.count,
        seconds=round(time.monotonic() - began, 1),
        drain_seconds=0.0,
        counts=counts,
        difference_count=len(lives.wrong),
        differences=lives.wrong[:KEPT],
    )
    failed = lives.failed.total()
    wrong = [] if failed >= 5 * fifth else [f"only {failed} of {5 * fifth} failed: {dict(lives.failed)}"]
    return Outcome(times=times, figures={"failed_deliveries": failed}, finding=finding, wrong=wrong)
