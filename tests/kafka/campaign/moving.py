"""When partitions move: every epoch writes a watermark, so a reader of the rows sees each commit of each partition."""

import asyncio
import time
from collections.abc import Iterable
from itertools import pairwise
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.settings import Settings


class Moving:
    """Watches from `async with` to its end. Moments are monotonic seconds, seen within some 20 ms of the commit."""

    def __init__(self, settings: Settings) -> None:
        self.partitions = frozenset(range(settings.partitions))
        self.moments: dict[int, list[float]] = {number: [] for number in self.partitions}
        self._settings = settings
        self._consumer: Any = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._consumer = AIOKafkaConsumer(
            **self._settings.kafka_client_options(),
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            fetch_max_wait_ms=50,
        )
        await self._consumer.start()
        topic = self._settings.topics.rows
        self._consumer.assign([TopicPartition(topic, number) for number in self.partitions])
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._consumer.stop()

    async def _watch(self) -> None:
        while True:
            fetched = await self._consumer.getmany(timeout_ms=200)
            now = time.monotonic()
            for place in fetched:
                self.moments[place.partition].append(now)

    def last(self, partition: int) -> float:
        """The partition's latest commit; 0 if none was seen."""
        moments = self.moments[partition]
        return moments[-1] if moments else 0.0

    async def any_after(self, moment: float, *, seconds: float = 90.0) -> float:
        """Wait for a commit of any partition later than `moment`; when it was. TimeoutError."""
        async with asyncio.timeout(seconds):
            while max(map(self.last, self.partitions)) <= moment:
                await asyncio.sleep(0.02)
        return min(first_after(self.moments[number], moment) for number in self.partitions)

    async def all_after(self, moment: float, *, seconds: float = 90.0) -> float:
        """Wait for a commit of every partition later than `moment`; when the last of them came. TimeoutError."""
        async with asyncio.timeout(seconds):
            while min(map(self.last, self.partitions)) <= moment:
                await asyncio.sleep(0.02)
        return max(first_after(self.moments[number], moment) for number in self.partitions)

    def pauses(self, begin: float, end: float) -> dict[int, float]:
        """Partition -> its longest time without a commit that touches [begin, end], in seconds."""
        return {number: longest_gap(self.moments[number], begin, end) for number in self.partitions}

    def standstill(self, begin: float, end: float) -> float:
        """The longest time in which no partition of the group committed."""
        return longest_gap(
            sorted(moment for moments in self.moments.values() for moment in moments), begin, end
        )


def first_after(moments: Iterable[float], moment: float) -> float:
    """The first later one; infinity if there is none."""
    return next((found for found in moments if found > moment), float("inf"))


def longest_gap(moments: list[float], begin: float, end: float) -> float:
    """The longest distance between neighbours that touches [begin, end]; the edges stand for what is missing."""
    before = [moment for moment in moments if moment <= begin]
    after = [moment for moment in moments if moment >= end]
    within = [moment for moment in moments if begin < moment < end]
    points = [before[-1] if before else begin, *within, after[0] if after else end]
    return max(later - earlier for earlier, later in pairwise(points))


def share(values: Iterable[float], part: float) -> float:
    """The value below which `part` of them lie, nearest rank; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0
