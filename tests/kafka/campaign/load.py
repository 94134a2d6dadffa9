"""Records to the source topics at an even pace, in the order of the history, each acknowledged."""

import asyncio
import time
from collections.abc import Callable, Iterable
from itertools import islice

from aiokafka import AIOKafkaProducer

from deploy.simulator.batches import Batches
from deploy.simulator.wire import SimDefinition, SimRecord
from schemas.topics import DEFINITION, SOURCES
from streams.settings import Settings

BLOCK = 100
WAITING_BATCHES = 1_000
# A record may be a little over 256 KiB: it is one of the kinds of poison.
REQUEST_BYTES = 1_048_576
# Records must outlast a broker that is away: the default gives them up after 40 s.
REQUEST_TIMEOUT_MS = 180_000

Made = SimRecord | SimDefinition


class Load:
    """Writes what an iterator gives. `sent` (to the client) and `acknowledged` (by the broker) grow while it runs."""

    def __init__(self, settings: Settings, records: Iterable[Made]) -> None:
        self.sent = 0
        self.acknowledged = 0
        self._settings = settings
        self._records = iter(records)

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
            names = {short: self._settings.topics.source(short) for short in (*SOURCES, DEFINITION)}
            batches = Batches(producer, names, self._settings.partitions, acknowledged=self._acknowledge)
            return await self._write(batches, rate, limit, enough)
        finally:
            await producer.stop()

    async def _write(
        self, batches: Batches, rate: float, limit: int | None, enough: Callable[[], bool]
    ) -> int:
        began, written = time.monotonic(), 0
        while not enough():
            size = BLOCK if limit is None else min(BLOCK, limit - written)
            block = list(islice(self._records, size)) if size > 0 else []
            if not block:
                break
            await batches.write(block)
            await batches.push()
            written += len(block)
            self.sent += len(block)
            if rate:
                await asyncio.sleep(max(0.0, began + written / rate - time.monotonic()))
            if batches.unacknowledged >= WAITING_BATCHES:
                await batches.flush()
        await batches.flush()
        return written

    def _acknowledge(self, records: int) -> None:
        self.acknowledged += records
