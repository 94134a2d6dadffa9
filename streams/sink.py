"""The sink process: committed rows from Kafka into ClickHouse, insert before ack.

One flush, in an order that is the guarantee:
1. take the rows held, and the position of every partition, while nothing is fetched
2. insert the rows, a batch for each table and month; wait as long as ClickHouse is away
3. insert the watermarks: each was read behind the rows it speaks of, and these are visible now
4. commit the positions. A crash before it repeats the inserts, and the versions make the repeat harmless

While one flush is on its way the next batch is read, and then nothing more: Kafka is the buffer.
"""

import asyncio
import logging
import signal
import time
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec
from aiokafka.errors import KafkaError

from schemas.topics import table_of
from sinks.base import Batch, Sink
from sinks.batching import Origin, RowBuffer
from sinks.clickhouse import MAX_BATCH_ROWS, Address, ClickHouseSink
from sinks.dead_letters import dead_letter_row
from sinks.delivery import Delivery
from sinks.telemetry import NoTelemetry, SinkTelemetry
from streams import failpoints
from streams.closing import within
from streams.rows_reader import Place, Revoked, RowsReader
from streams.settings import Settings

WATERMARKS: Final = "watermarks"
DEAD_LETTERS: Final = "dead_letters"
# Twice, as rows: see `batch_max_rows`.
BUFFER_MAX_BYTES: Final = 16 * 1_048_576
# Taken without a turn for anybody else: some thirty milliseconds of an idle machine.
FETCH_MAX_RECORDS: Final = 2_000
# Without rows there are still transaction markers to get behind.
IDLE_FLUSH_S: Final = 1.0
REVOKED_PAUSE_S: Final = 0.1
# What was committed together comes within it.
TOGETHER_S: Final = 0.05
# How soon the end of a flush is noticed when no records come in.
FLUSHING_FETCH_MS: Final = 20
# Of the ten seconds that a stop may take: the flush in flight gets these, Kafka the rest.
STOP_FLUSH_S: Final = 6.0
STOP_CLIENT_S: Final = 3.0

log = logging.getLogger("shopmeter.sink")


class Stopping(Exception):
    """The process is to end while a batch still waits for ClickHouse; it will be read again."""


def address_of(settings: Settings) -> Address:
    """Where this installation's ClickHouse is."""
    house = settings.clickhouse
    return Address(
        house.url,
        house.database,
        house.username,
        house.password.get_secret_value(),
        str(house.ca_file) if house.ca_file else "",
    )


async def run_sink(
    settings: Settings,
    *,
    telemetry: SinkTelemetry | None = None,
    sink: Sink | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Run until SIGTERM, SIGINT or `stop`; returns within 10 s with what was inserted committed.

    Raises whatever ends a sink: BadRow, RowRefused, SinkBroken, AssignmentBroken, FetchingEnded,
    KafkaError; nothing is committed behind it.
    """
    if stop is None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    process = SinkProcess(
        settings, sink or ClickHouseSink(address_of(settings)), telemetry or NoTelemetry(), stop
    )
    await process.run()


class SinkProcess:
    """One member of the sink group."""

    def __init__(self, settings: Settings, sink: Sink, telemetry: SinkTelemetry, stop: asyncio.Event) -> None:
        self._sink = sink
        self._telemetry = telemetry
        self._stop = stop
        self._reader = RowsReader(settings)
        self._delivery = Delivery(sink, wait=self._wait, telemetry=telemetry)
        self._encode = msgspec.msgpack.Encoder().encode
        self._buffer = RowBuffer(
            max_rows=min(settings.sink.batch_max_rows, MAX_BATCH_ROWS), max_bytes=BUFFER_MAX_BYTES
        )
        self._max_wait_s = settings.sink.batch_max_wait_ms / 1000
        self._newest: dict[str, int] = {}
        self._generation = 0
        self._flush_generation = 0
        self._first_row_at: float | None = None
        self._flush_began_at = 0.0
        self._flushed_at = time.monotonic()
        self._flushing: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """See `run_sink`."""
        work = asyncio.create_task(self._work(), name="sink")
        stopped = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([work, stopped], return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                await asyncio.wait([work], timeout=STOP_FLUSH_S)
            if not work.done():
                log.warning(
                    "an insert is given up after %.0f s of stopping; its rows will be read again",
                    STOP_FLUSH_S,
                )
                work.cancel()
            with suppress(asyncio.CancelledError, Stopping):
                await work
        finally:
            stopped.cancel()
            work.cancel()
            if self._flushing is not None:
                self._flushing.cancel()
            self._telemetry.ready(False)
            await within(self._reader.stop(), STOP_CLIENT_S)
            await within(self._sink.close(), STOP_CLIENT_S)

    async def _work(self) -> None:
        await self._reader.start()
        while not self._stop.is_set():
            due_ms = max(int(self._until_due() * 1000), 0)
            timeout_ms = due_ms if self._flushing is None else FLUSHING_FETCH_MS
            fetched = await self._reader.fetch(timeout_ms=timeout_ms, max_records=FETCH_MAX_RECORDS)
            if self._reader.generation != self._generation:
                # Before taking what was fetched just now: it is the new generation's, and its positions are behind it.
                self._begin_generation()
            for place, records in fetched.items():
                self._take(place.topic, place.partition, records)
            if self._flushing is not None and (self._buffer.full or self._flushing.done()):
                await self._finish_flush()
            if self._flushing is None and (self._buffer.full or self._until_due() <= 0):
                await self._start_flush()
        await self._finish_flush()
        await self._start_flush()
        await self._finish_flush()

    def _begin_generation(self) -> None:
        self._generation = self._reader.generation
        self._buffer.clear()
        self._first_row_at = None
        self._telemetry.ready(self._reader.assigned)

    def _take(self, topic: str, partition: int, records: Sequence[Any]) -> None:
        """Records of one partition into the buffer. Raises BadRow."""
        newest = self._newest
        for record in records:
            origin = Origin(topic, partition, record.offset)
            if topic == self._reader.dead_letters:
                row = dead_letter_row(
                    partition=partition,
                    offset=record.offset,
                    timestamp=record.timestamp,
                    key=record.key,
                    value=record.value,
                    headers=record.headers,
                )
                table, wire = DEAD_LETTERS, self._encode(row)
            else:
                table, wire = table_of(record.key), record.value
            self._buffer.add(table, wire, origin)
            newest[table] = max(newest.get(table, 0), record.timestamp)
        if self._first_row_at is None and self._buffer.rows:
            self._first_row_at = time.monotonic()

    def _until_due(self) -> float:
        """Seconds until the next flush; 0 or less: now."""
        now = time.monotonic()
        if self._first_row_at is not None:
            # Between two flushes, not from the first row: a lone one waits for nobody, and inserts are no more.
            return max(self._first_row_at + TOGETHER_S, self._flush_began_at + self._max_wait_s) - now
        return self._flushed_at + IDLE_FLUSH_S - now

    async def _start_flush(self) -> None:
        # 1. Positions only move in `fetch`, so they and the rows held agree.
        try:
            positions = await self._reader.positions()
        except Revoked:
            await asyncio.sleep(REVOKED_PAUSE_S)  # the client tells us in a moment
            return
        batches = list(self._buffer.take())
        self._first_row_at = None
        self._flush_began_at = time.monotonic()
        self._flush_generation = self._generation
        work = self._flush(self._generation, positions, batches, dict(self._newest))
        self._flushing = asyncio.create_task(work, name="flush")

    async def _finish_flush(self) -> None:
        """Wait for the flush in flight. Raises what ends a sink."""
        flushing, self._flushing = self._flushing, None
        if flushing is None:
            return
        try:
            await flushing
        except Revoked:
            log.info("partitions were given out anew during a flush; going on from what is committed")
        except KafkaError as error:
            if not error.retriable:
                raise
            # The rows are in ClickHouse; the next commit covers them too.
            log.warning("offsets are not committed yet: %s", error)
        finally:
            flushing.cancel()  # when it is us who are cancelled
            self._flushed_at = time.monotonic()

    async def _flush(
        self,
        generation: int,
        positions: Mapping[Place, int],
        batches: Sequence[tuple[Batch, list[Origin]]],
        newest: Mapping[str, int],
    ) -> None:
        rows = [taken for taken in batches if taken[0].table != WATERMARKS]
        watermarks = [taken for taken in batches if taken[0].table == WATERMARKS]
        # 2.
        await _all(self._delivery.deliver(batch, origins) for batch, origins in rows)
        self._still_ours(generation)
        failpoints.reach("sink.inserted")
        # 3.
        await _all(self._delivery.deliver(batch, origins) for batch, origins in watermarks)
        self._still_ours(generation)
        failpoints.reach("sink.watermarked")
        # 4.
        await self._reader.commit(positions)
        failpoints.reach("sink.committed")
        for table in {batch.table for batch, _ in batches}:
            self._telemetry.on_visible(table, newest[table])

    def _still_ours(self, generation: int) -> None:
        if self._reader.generation != generation:
            raise Revoked("a rebalance during the insert")

    async def _wait(self, seconds: float) -> None:
        """Between two attempts: nothing is fetched, membership is kept by the heartbeats in the background."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
        if self._stop.is_set():
            raise Stopping("ClickHouse is away")
        self._still_ours(self._flush_generation)


async def _all(inserts: Iterable[Awaitable[None]]) -> None:
    """Run inserts side by side, all to their end; then raise the first failure."""
    results: list[BaseException | None] = await asyncio.gather(*inserts, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
