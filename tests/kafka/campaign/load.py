"""Records to the source topics at an even pace, in the order of the history, each acknowledged."""

import asyncio
import time
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from typing import Any

from aiokafka import AIOKafkaProducer

from deploy.simulator.partitioning import Partitioner
from deploy.simulator.wire import SimDefinition, SimRecord
from streams.settings import Settings

BLOCK = 100
WAITING_BATCHES = 1_000
# A record may be a little over 256 KiB: it is one of the kinds of poison.
REQUEST_BYTES = 1_048_576
# Records must outlast a broker that is away: the default gives them up after 40 s.
REQUEST_TIMEOUT_MS = 180_000

Made = SimRecord | SimDefinition
Place = tuple[str, int]
"""Short topic, partition."""


class Load:
    """Writes what an iterator gives. `sent` (to the client) and `acknowledged` (by the broker) grow while it runs."""

    def __init__(self, settings: Settings, records: Iterable[Made]) -> None:
        self.sent = 0
        self.acknowledged = 0
        self._settings = settings
        self._records = iter(records)
        self._partition_of = Partitioner(settings.partitions)

    async def run(
        self, *, rate: float = 0.0, limit: int | None = None, enough: Callable[[], bool] = lambda: False
    ) -> int:
        """Write until the history ends, `limit` more are sent or `enough()`; `rate` records/s, 0: as fast as it goes.

        Returns how many this call wrote, all acknowledged. Records are placed by their key, as any producer's would be.
        """
        # linger 0 and one order for all topics: a batch of a quiet topic that waited to be full would come days of
        # event time after the others, and be too late by right.
        producer = AIOKafkaProducer(
            **self._settings.kafka_client_options(),
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_request_size=REQUEST_BYTES,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
        await producer.start()
        try:
            return await self._write(producer, rate, limit, enough)
        finally:
            await producer.stop()

    async def _write(self, producer: Any, rate: float, limit: int | None, enough: Callable[[], bool]) -> int:
        began, written = time.monotonic(), 0
        waiting: list[asyncio.Future[Any]] = []
        while not enough():
            size = BLOCK if limit is None else min(BLOCK, limit - written)
            block = list(islice(self._records, size)) if size > 0 else []
            if not block:
                break
            for place, records in self._places(block).items():
                waiting += await self._send(producer, place, records)
            written += len(block)
            self.sent += len(block)
            if rate:
                await asyncio.sleep(max(0.0, began + written / rate - time.monotonic()))
            if len(waiting) >= WAITING_BATCHES:
                await asyncio.gather(*waiting)
                waiting = []
        await asyncio.gather(*waiting)
        return written

    def _places(self, block: Iterable[Made]) -> dict[Place, list[Made]]:
        """The block by topic and partition, in the order in which they are named first."""
        places: dict[Place, list[Made]] = {}
        for record in block:
            places.setdefault((record.topic, self._partition_of(record.key)), []).append(record)
        return places

    async def _send(self, producer: Any, place: Place, records: Iterable[Made]) -> list[asyncio.Future[Any]]:
        """Batches of ours: a third of what the client takes for a record sent alone, on a machine that others share."""
        topic = self._settings.topics.source(place[0])
        sent: list[asyncio.Future[Any]] = []

        async def send() -> None:
            batch.close()
            future = await producer.send_batch(batch, topic, partition=place[1])
            future.add_done_callback(partial(self._acknowledge, batch.record_count()))
            sent.append(future)

        batch = producer.create_batch()
        for record in records:
            made = {"key": record.key, "value": record.value, "timestamp": record.timestamp_ms}
            if batch.append(**made) is None:
                await send()
                batch = producer.create_batch()
                batch.append(**made)  # the first is taken whatever its size
        await send()
        return sent

    def _acknowledge(self, records: int, future: asyncio.Future[Any]) -> None:
        # A failed one is raised by `run`.
        if not future.cancelled() and future.exception() is None:
            self.acknowledged += records
