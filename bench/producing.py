"""Records into the source topics in batches, each of them acknowledged: for loads and for paced traffic."""

import asyncio
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaProducer

from deploy.simulator import SimRecord
from deploy.simulator.partitioning import Partitioner
from schemas.topics import SOURCES, Topics

BATCH_BYTES = 131_072
RECORDS_BETWEEN_TURNS = 2_000


def now_ms() -> int:
    """Wall clock."""
    return time.time_ns() // 1_000_000


class Producing:
    """A producer for the length of a block. A batch that is not written is raised by the next call."""

    def __init__(self, bootstrap: str, topics: Topics, partitions: int) -> None:
        self._producer: Any = AIOKafkaProducer(
            bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, max_batch_size=BATCH_BYTES
        )
        self._names = {name: topics.source(name) for name in SOURCES}
        self._partition_of = Partitioner(partitions)
        self._open: dict[tuple[str, int], Any] = {}
        self._waiting: set[asyncio.Future[Any]] = set()
        self._failed: BaseException | None = None
        self.written = 0

    async def __aenter__(self) -> Self:
        await self._producer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._producer.stop()

    async def write(self, records: Iterable[SimRecord]) -> None:
        """Into batches; those that are full are sent."""
        for topic, key, value, timestamp_ms in records:
            place = topic, self._partition_of(key)
            batch = self._open.get(place)
            if batch is None:
                batch = self._open[place] = self._producer.create_batch()
            if batch.append(timestamp=timestamp_ms, key=key, value=value) is None:
                await self._send(place)
                batch = self._open[place] = self._producer.create_batch()
                batch.append(timestamp=timestamp_ms, key=key, value=value)
            self.written += 1
            if not self.written % RECORDS_BETWEEN_TURNS:
                await asyncio.sleep(0)  # the sender needs a turn, or batches pile up

    async def push(self) -> None:
        """Send all that is open, and wait for nothing."""
        for place in list(self._open):
            await self._send(place)

    async def flush(self) -> None:
        """Send all, and wait until the broker has it."""
        await self.push()
        if self._waiting:
            await asyncio.wait(self._waiting)
        self._check()

    async def _send(self, place: tuple[str, int]) -> None:
        self._check()
        batch = self._open.pop(place)
        batch.close()
        future = await self._producer.send_batch(batch, self._names[place[0]], partition=place[1])
        self._waiting.add(future)
        future.add_done_callback(self._done)

    def _done(self, future: "asyncio.Future[Any]") -> None:
        self._waiting.discard(future)
        error = asyncio.CancelledError() if future.cancelled() else future.exception()
        self._failed = self._failed or error

    def _check(self) -> None:
        if self._failed is not None:
            raise RuntimeError(f"a batch was not written: {self._failed!r}; look at the broker's log")
