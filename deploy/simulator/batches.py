"""Records to Kafka in batches of our own: by topic and partition, in the order given, each of them acknowledged.

A third of what the client takes for a record that is sent alone.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from deploy.simulator.partitioning import Partitioner
from deploy.simulator.wire import SimDefinition, SimRecord


class ProduceError(RuntimeError):
    """Records could not be written. The message says which topic is missing or uneven, or what the broker answered."""


class Batches:
    """Each batch is sent when it is full or pushed. `names`: short topic -> its name.

    `acknowledged` is told of how many records the broker has taken, batch by batch.
    """

    def __init__(
        self,
        producer: Any,
        names: Mapping[str, str],
        partitions: int,
        *,
        acknowledged: Callable[[int], None] = lambda records: None,
    ) -> None:
        self._producer = producer
        self._names = names
        self._partition_of = Partitioner(partitions)
        self._tell = acknowledged
        self._open: dict[tuple[str, int], Any] = {}
        self._unacknowledged: set[asyncio.Future[Any]] = set()
        self._error: BaseException | None = None

    @property
    def unacknowledged(self) -> int:
        """How many batches are on their way."""
        return len(self._unacknowledged)

    async def write(self, records: Iterable[SimRecord | SimDefinition]) -> None:
        """Into batches; those that are full are sent. Raises ProduceError if anything sent before has failed."""
        for topic, key, value, timestamp_ms in records:
            place = topic, self._partition_of(key)
            batch = self._open.get(place)
            if batch is None:
                batch = self._open[place] = self._producer.create_batch()
            if batch.append(timestamp=timestamp_ms, key=key, value=value) is None:
                await self._send(place)
                batch = self._open[place] = self._producer.create_batch()
                # The first of a batch is taken whatever its size, so nothing is dropped here.
                batch.append(timestamp=timestamp_ms, key=key, value=value)

    async def push(self) -> None:
        """Send what is open, and wait for nothing. Raises ProduceError if anything sent before has failed."""
        for place in list(self._open):
            await self._send(place)
        self._check()

    async def flush(self) -> None:
        """Send all and wait for every acknowledgement."""
        await self.push()
        if self._unacknowledged:
            await asyncio.wait(self._unacknowledged)
        self._check()

    async def _send(self, place: tuple[str, int]) -> None:
        self._check()
        batch = self._open.pop(place)
        batch.close()
        future = await self._producer.send_batch(batch, self._names[place[0]], partition=place[1])
        self._unacknowledged.add(future)
        future.add_done_callback(partial(self._done, batch.record_count()))

    def _done(self, records: int, future: "asyncio.Future[Any]") -> None:
        self._unacknowledged.discard(future)
        error = future.exception() if not future.cancelled() else asyncio.CancelledError()
        self._error = self._error or error
        if error is None:
            self._tell(records)

    def _check(self) -> None:
        if self._error is not None:
            raise ProduceError(
                f"a batch was not written: {self._error!r}; look at the broker's log, then load again"
            )
