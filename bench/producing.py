"""Records into the source topics in batches, each of them acknowledged: for loads and for paced traffic."""

import asyncio
import time
from collections.abc import Iterable
from itertools import islice
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaProducer

from deploy.simulator import SimRecord
from deploy.simulator.batches import Batches
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
        self._batches = Batches(self._producer, {name: topics.source(name) for name in SOURCES}, partitions)
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
        taken = iter(records)
        while block := list(islice(taken, RECORDS_BETWEEN_TURNS)):
            await self._batches.write(block)
            self.written += len(block)
            await asyncio.sleep(0)  # the sender needs a turn, or batches pile up

    async def push(self) -> None:
        """Send all that is open, and wait for nothing."""
        await self._batches.push()

    async def flush(self) -> None:
        """Send all, and wait until the broker has it."""
        await self._batches.flush()
