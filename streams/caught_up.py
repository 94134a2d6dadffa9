"""Waits until everything sent so far is processed and visible: what `shopmeter wait` does."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.topics import FORWARDED
from streams.lag import LagError, LagReader, watched_groups
from streams.settings import Settings

POLL_SECONDS: Final = 0.1
CHECK_TIMEOUT_S: Final = 5.0
# The longest way over the forwarded topic: a misrouted capture with both ids goes to its customer, who tells the device;
# that says to its customers that it is shared, hears their links, and moves a guest's order to one of them; who tells the
# order's partition, that names the holders to each other; they tell what they hold, who has stopped writing the row, and
# that a row was withdrawn.
FORWARDED_HOPS: Final = 10


class Progress(NamedTuple):
    """How far one group is on the way to the ends that were captured for it."""

    group: str
    partitions_left: int
    records_left: int
    """Offsets, so markers count too: at 0 partitions left it may be above 0."""


class NotCaughtUp(TimeoutError):
    """Time is over. Names the group and the partitions that are still behind."""


OnProgress = Callable[[Progress], None]


def _no_progress(_: Progress) -> None: ...


async def caught_up(
    settings: Settings, *, timeout_s: float | None = None, on_progress: OnProgress = _no_progress
) -> None:
    """Return when every record that is in a source topic now is processed, and what became of it is visible.

    1. the ends of the source topics (definitions too) are captured, records of open transactions included
    2. the workers' committed offsets pass the last record before those ends
    3. the same for what those records made the workers send each other, as often as that may go on
    4. the ends of what sinks read are captured: rows and offsets are of one transaction, so these hold the rows
    5. the sinks' committed offsets pass the last record before those; they insert before they commit

    `on_progress` is called about ten times a second. Raises NotCaughtUp after `timeout_s` seconds (None: never),
    KafkaError or LagError when the brokers can't be asked at the start.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    async with LagReader(settings) as reader:
        ends_reader = AIOKafkaConsumer(
            **settings.kafka_client_options(), client_id=f"{settings.application}-wait", group_id=None
        )
        try:
            await ends_reader.start()
            before: Mapping[TopicPartition, int] = {}
            for group, topics in _stages(settings):
                partitions = [
                    TopicPartition(topic, number) for topic in topics for number in range(settings.partitions)
                ]
                ends = await _ends(ends_reader, partitions, group, deadline)
                if ends == before:
                    continue  # nothing has come of what was sent last
                before = ends
                await _Passing(reader, group, ends, deadline, on_progress).wait()
        finally:
            await ends_reader.stop()


async def _ends(
    reader: AIOKafkaConsumer, partitions: Sequence[TopicPartition], group: str, deadline: float | None
) -> Mapping[TopicPartition, int]:
    """Where the partitions end. A broker that restarts between two stages is asked again; else it would end the wait."""
    while True:
        try:
            # Not cut by the deadline: a short one would end before it is known who is behind, and could not say it.
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                ends: Mapping[TopicPartition, int] = await reader.end_offsets(partitions)
                return ends
        except (KafkaError, TimeoutError) as error:
            if deadline is not None and time.monotonic() >= deadline:
                raise NotCaughtUp(
                    f"the ends of what group {group} reads are not known; the last answer was: {error!r}"
                ) from None
        await asyncio.sleep(POLL_SECONDS)


def _stages(settings: Settings) -> Iterator[tuple[str, Sequence[str]]]:
    """(group, topics) one after the other: what lies in the topics then must be passed by the group."""
    (workers, inputs), (sinks, rows) = watched_groups(settings).items()
    topics = settings.topics
    forwarded = topics.source(FORWARDED)
    yield workers, [topic for topic in inputs if topic != forwarded]
    for _ in range(FORWARDED_HOPS):
        yield workers, [forwarded]
    yield sinks, rows


class _Passing:
    """One group on its way past captured ends."""

    def __init__(
        self,
        reader: LagReader,
        group: str,
        ends: Mapping[TopicPartition, int],
        deadline: float | None,
        on_progress: OnProgress,
    ) -> None:
        self._reader = reader
        self._group = group
        self._left = {tp: end for tp, end in ends.items() if end > 0}
        self._records_left = sum(self._left.values())
        self._deadline = deadline
        self._on_progress = on_progress
        self._error: Exception | None = None

    async def wait(self) -> None:
        while True:
            try:
                await self._look()
                self._error = None
            except (KafkaError, LagError) as error:
                # A coordinator that moves, a broker that restarts: what was sent is still there, ask again.
                self._error = error
            self._on_progress(Progress(self._group, len(self._left), self._records_left))
            if not self._left:
                return
            if self._deadline is not None and time.monotonic() >= self._deadline:
                raise NotCaughtUp(self._why())
            await asyncio.sleep(POLL_SECONDS)

    async def _look(self) -> None:
        with suppress(TimeoutError):  # an open transaction hides what lies there; the next look may see it
            async with asyncio.timeout(self._patience()):
                committed = await self._reader.committed(self._group)
                self._records_left = sum(
                    max(0, end - max(committed[tp], 0)) for tp, end in self._left.items()
                )
                passed = [tp for tp, end in self._left.items() if committed[tp] >= end]
                for tp in passed:
                    del self._left[tp]
                # Behind the last record there may be markers, which a worker need not commit.
                starts = {tp: max(committed[tp], 0) for tp in self._left}
                first = await self._reader.first_records(starts, self._left)
                for tp, oldest in first.items():
                    if oldest is None:
                        del self._left[tp]

    def _patience(self) -> float:
        if self._deadline is None:
            return CHECK_TIMEOUT_S
        return min(CHECK_TIMEOUT_S, max(self._deadline - time.monotonic(), POLL_SECONDS))

    def _why(self) -> str:
        places = ", ".join(f"{tp.topic}/{tp.partition}" for tp in sorted(self._left)[:5])
        more = f" and {len(self._left) - 5} more" if len(self._left) > 5 else ""
        cause = f"; the last answer was: {self._error}" if self._error else ""
        return (
            f"group {self._group} is still behind in {places}{more} (about {self._records_left} records){cause};"
            " does it run? see its log and /ready"
        )
