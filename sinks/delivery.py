"""A batch brought home: repeated while the store is away, and if the store refuses it, the row that is at fault named.

A refused row stops the process. Rows are made and bounded by our own worker, so it is a bug or a table that was altered
by hand; to set the row aside would leave a wrong number on a dashboard that looks right. Kafka keeps all rows meanwhile.
"""

import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from sinks.base import Backpressure, Batch, Rejected, Sink, SinkError
from sinks.batching import Origin
from sinks.telemetry import NoTelemetry, SinkTelemetry

FIRST_WAIT_S: Final = 0.2
LONGEST_WAIT_S: Final = 10.0

log = logging.getLogger("shopmeter.sink")


class RowRefused(SinkError):
    """The store will never take this row. The message names table, origin and the store's words."""


class Delivery:
    """Writes batches to a sink and does not return before they are stored."""

    def __init__(
        self,
        sink: Sink,
        *,
        wait: Callable[[float], Awaitable[None]],
        telemetry: SinkTelemetry | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`wait(seconds)` sleeps between two attempts, keeps alive what must be kept alive, and raises to give up."""
        self._sink = sink
        self._wait = wait
        self._telemetry = telemetry or NoTelemetry()
        self._jitter = jitter

    async def deliver(self, batch: Batch, origins: Sequence[Origin]) -> None:
        """Store the batch, however long it takes. Raises RowRefused, SinkBroken, or what `wait` raises."""
        try:
            await self._insert(batch)
        except Rejected as refusal:
            raise await self._culprit(batch, origins, refusal) from refusal

    async def _insert(self, batch: Batch) -> None:
        attempt = 0
        while True:
            started = time.perf_counter()
            try:
                await self._sink.write(batch)
            except Backpressure as error:
                self._telemetry.on_failure(batch.table, error.code)
                self._telemetry.ready(False)
                # Jitter, or all sinks that lost the same server come back in the same instant.
                seconds = min(FIRST_WAIT_S * 2**attempt, LONGEST_WAIT_S) * (0.5 + self._jitter() / 2)
                attempt = min(attempt + 1, 16)
                log.warning("%s; again in %.1f s", error, seconds)
                await self._wait(seconds)
            except SinkError as error:
                self._telemetry.on_failure(batch.table, error.code)
                raise
            else:
                self._telemetry.on_insert(batch.table, len(batch.rows), time.perf_counter() - started)
                if attempt:
                    log.info("inserts into %s pass again", batch.table)
                    self._telemetry.ready(True)
                return

    async def _culprit(self, batch: Batch, origins: Sequence[Origin], refusal: Rejected) -> RowRefused:
        """Halve the batch until one row is left. What passes on the way is stored, and may be stored again."""
        rows = list(zip(batch.rows, origins, strict=True))
        while len(rows) > 1:
            half, rest = rows[: len(rows) // 2], rows[len(rows) // 2 :]
            try:
                await self._insert(batch._replace(rows=[row for row, _ in half]))
            except Rejected as error:
                rows, refusal = half, error
            else:
                rows = rest
        try:
            await self._insert(batch._replace(rows=[rows[0][0]]))
        except Rejected as error:
            refusal = error
        else:
            return RowRefused(
                f"table {batch.table}: a batch of {len(batch.rows)} rows was refused, each row alone was not: {refusal}",
                code=refusal.code,
            )
        return RowRefused(
            f"{rows[0][1]}: table {batch.table} refuses this row; nothing behind it is inserted. {refusal}",
            code=refusal.code,
        )
