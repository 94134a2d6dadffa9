"""The engine: partitions that come and go, chunks in, epochs out.

Everything here runs on the event loop's thread. One rule holds it together: whatever is not in `_live` is not read,
not processed and not committed. A partition enters `_live` when its producer has fenced the last owner, its state is
complete and its source topics are read from where that state says; it leaves at the first sign of a rebalance.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from math import ceil
from typing import Any, Protocol

from aiokafka import TopicPartition

from schemas.epoch import ProcessorFactory
from streams.engine.assigning import cancel, check_co_location
from streams.engine.chunks import Chunk
from streams.engine.collector import Collector
from streams.engine.ends import End
from streams.engine.epochs import Cut, commit, elapsed, make_producer
from streams.engine.fatal import Exit, exit_now
from streams.engine.fetching import seconds
from streams.engine.hanging import end_hanging
from streams.engine.hearing import Hear, Hearing, hear_reports
from streams.engine.options import BrokenAssumption, EngineOptions
from streams.engine.pace import Pace
from streams.engine.partition import Partition
from streams.engine.restore import restore
from streams.engine.takeover import EndHanging, OpenStore, Restore, Takeover, stop_producers
from streams.engine.telemetry import EngineTelemetry, NoTelemetry

log = logging.getLogger("shopmeter.engine")

GAUGES_SECONDS = 1.0


class Source(Protocol):
    """What the engine asks of the consumer."""

    async def open(self, offsets: dict[TopicPartition, int], assignment: int) -> bool:
        """Read these from these offsets, under this assignment. False when a rebalance took them away."""
        ...


def wall_clock_ms() -> int:
    """Now, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Engine:
    """One worker's engine. `source` is set by the consumer that Faust makes."""

    source: Source

    def __init__(
        self,
        options: EngineOptions,
        factory: ProcessorFactory,
        open_store: OpenStore,
        *,
        telemetry: EngineTelemetry | None = None,
        exit: Exit = exit_now,
        make_producer: Callable[[EngineOptions, int], Any] = make_producer,
        end_hanging: EndHanging = end_hanging,
        restore: Restore = restore,
        hear: Hear = hear_reports,
        now_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self.options = options
        self.exit = exit
        self.telemetry: EngineTelemetry = telemetry or NoTelemetry()
        self.collector = Collector(self.telemetry.on_gc)
        self.closed = False
        self.on_closed: Callable[[], None] = lambda: None
        """Called once, when everything is committed and given back."""
        self._hearing = Hearing(options, hear, self._on_report, exit)
        self._now_ms = now_ms
        self._assignment = 0
        self._live: dict[int, Partition] = {}
        self._preparing: asyncio.Task[None] | None = None
        self._preparing_since: float | None = None
        self._in_flight: dict[int, asyncio.Task[None]] = {}
        self._held: dict[int, frozenset[str]] = {}
        self._moved = asyncio.Event()
        self._revoking = asyncio.Lock()
        self._gauges_at = 0.0
        self._ticked_at = 0.0
        self._pace = Pace(options)
        self._takeover = Takeover(
            options,
            factory,
            open_store,
            make_producer=make_producer,
            end_hanging=end_hanging,
            restore=restore,
            telemetry=self.telemetry,
            pace=self._pace,
        )

    # --- what the consumer asks -------------------------------------------------------------------------------

    def wanted(self) -> tuple[int, dict[TopicPartition, int]]:
        """The current assignment's number, and the topic-partitions to take chunks of now: at most how many records."""
        now = time.monotonic()
        topics = self.options.topics
        wanted: dict[TopicPartition, int] = {}
        for number, partition in self._live.items():
            if partition.must_settle(now):
                # Alignment looks at times that only processing moves: asked before, it lets a topic run ahead by all
                # that is on its way.
                continue
            if partition.is_full and number in self._in_flight:
                continue  # it would only wait in `take`, and all others behind it
            held = partition.held_back(now)
            if held != self._held.get(number, frozenset()):
                self._held[number] = held
                self.telemetry.on_aligned(number, len(held))
            for name, topic in zip(partition.topics, topics.inputs, strict=True):
                if name not in held:
                    wanted[TopicPartition(topic, number)] = partition.chunk_size(name)
        return self._assignment, wanted

    def note_ends(self, assignment: int, ends: Mapping[TopicPartition, End]) -> None:
        """What fetch responses said about the ends of topics, once a turn."""
        if assignment != self._assignment:
            return
        now = time.monotonic()
        topics = self.options.topics
        for number, partition in self._live.items():
            for name, topic in zip(partition.topics, topics.inputs, strict=True):
                partition.note_end(name, ends.get(TopicPartition(topic, number)), now)

    def queued(self, chunk: Chunk) -> None:
        """The chunk is on its way to `take`."""
        partition = self._owner(chunk)
        if partition is not None:
            partition.queued(chunk)

    async def moved(self, timeout: float) -> None:
        """Wait until a chunk was processed, at most so many seconds: what is wanted may be something else then."""
        self._moved.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._moved.wait()

    async def take(self, chunk: Chunk) -> None:
        """Process a chunk, when its partition is (still) ours. Waits while a full epoch waits for one in flight."""
        partition = self._owner(chunk)
        while partition is not None and partition.is_full and chunk.partition in self._in_flight:
            # Backpressure: memory holds one epoch in flight and one full, never more.
            await asyncio.wait([self._in_flight[chunk.partition]])
            partition = self._owner(chunk)
        if partition is None:
            return
        began = time.perf_counter()
        try:
            partition.take(chunk, self._now_ms())
        except Exception as error:
            self.exit(
                f"{chunk.topic}/{chunk.partition}: processing offsets {chunk.begin} to {chunk.end} failed",
                error,
            )
        self._moved.set()
        self.telemetry.on_chunk(chunk.topic, chunk.partition, len(chunk.records), time.perf_counter() - began)
        if partition.is_full and chunk.partition not in self._in_flight:
            self._begin_epoch(partition)

    def _owner(self, chunk: Chunk) -> Partition | None:
        # A chunk of an earlier assignment is read again, by whoever owns the partition now.
        return self._live.get(chunk.partition) if chunk.assignment == self._assignment else None

    # --- epochs -----------------------------------------------------------------------------------------------

    async def tick(self) -> None:
        """The commit timer: begin epochs for partitions that are due and have none in flight, the longest waiting first.

        No more of them than this turn's share of an interval: were all cut at once, each epoch would wait for the
        making of all others, and the broker, the network and the sinks would get all transactions in one moment.
        """
        now, ticked_at = time.monotonic(), self._ticked_at
        self._ticked_at = now
        due = [
            partition
            for number, partition in self._live.items()
            if number not in self._in_flight and partition.is_due()
        ]
        due.sort(key=lambda partition: partition.flushed_at)
        interval = seconds(self.options.epoch_interval_ms)
        share = ceil(len(self._live) * (now - ticked_at) / interval) if interval else len(due)
        for partition in due[:share]:
            if self._live.get(partition.number) is partition and partition.number not in self._in_flight:
                self._begin_epoch(partition)
                # Epochs in flight have a deadline: they must not wait until every other partition has made its own.
                await asyncio.sleep(0)
        self.collector.between()
        if now - self._gauges_at >= GAUGES_SECONDS:
            self._gauges_at = now
            for number, partition in self._live.items():
                self.telemetry.on_gauges(number, partition.gauges())

    def _begin_epoch(self, partition: Partition) -> None:
        try:
            cut = partition.cut(self._now_ms())
        except Exception as error:
            self.exit(f"partition {partition.number}: cutting an epoch failed", error)
        if cut is not None:
            self._in_flight[partition.number] = asyncio.ensure_future(self._commit(partition, cut))

    async def _commit(self, partition: Partition, cut: Cut) -> None:
        began = time.monotonic()
        try:
            done = await commit(
                cut, producer=partition.producer, partition=partition.number, options=self.options
            )
        except BaseException as error:
            # Whether it is committed or not is unknown now. The next start reads the answer from the changelog.
            self.exit(f"partition {partition.number}: epoch {cut.pending.number} was not committed", error)
        try:
            partition.committed(cut, done.changelog_offset)
        except Exception as error:
            # The local store is a cache: the next start brings it up to the changelog.
            self.exit(f"partition {partition.number}: epoch {cut.pending.number} was not stored", error)
        del self._in_flight[partition.number]
        self._pace.committed(elapsed(began))
        rows = {table: len(table_rows) for table, table_rows in cut.epoch.rows.items()}
        self.telemetry.on_epoch(
            partition.number, elapsed(cut.first_chunk_at), elapsed(began), rows, done.changelog_bytes
        )
        self.telemetry.on_event_to_row((self._now_ms() - cut.newest_ms) / 1000)
        self.telemetry.on_counts(partition.number, cut.counts)
        if partition.is_full and self._live.get(partition.number) is partition:
            self._begin_epoch(partition)

    # --- partitions come and go -------------------------------------------------------------------------------

    def assign(self, assigned: frozenset[TopicPartition]) -> None:
        """A rebalance gave us these. Fences, restores and opens them in the background."""
        if self.closed:
            return
        if self._live or self._preparing is not None:
            self.exit(
                "partitions were assigned before the last ones were revoked; the client broke its order"
            )
        self._assignment += 1
        self._hearing.begin()
        try:
            numbers = check_co_location(assigned, self.options.topics)
        except BrokenAssumption as error:
            self.exit("the assignment can't be worked on", error)
        self.telemetry.on_rebalance(numbers)
        self._preparing_since = time.monotonic()
        self._preparing = asyncio.ensure_future(self._prepare(numbers, self._assignment))

    def _on_report(self, number: int, report: bytes) -> None:
        for partition in self._live.values():
            partition.processor.hear(number, report)

    async def _prepare(self, numbers: list[int], assignment: int) -> None:
        self.collector.after_rebalance()
        try:
            await self._takeover.run(numbers, partial(self._enter, assignment))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self.exit(f"partitions {numbers} can't be taken over", error)
        self._preparing = self._preparing_since = None
        self.telemetry.ready(True)
        log.info("processing partitions %s", numbers)

    async def _enter(self, assignment: int, partition: Partition, begin: Mapping[str, int]) -> None:
        topics = self.options.topics
        offsets = {TopicPartition(topics.source(name), partition.number): at for name, at in begin.items()}
        if not await self.source.open(offsets, assignment):
            log.info("partition %d was revoked before it was restored", partition.number)
            await asyncio.Event().wait()  # until the revocation cancels us
        for other, report in self._hearing.last.items():
            partition.processor.hear(other, report)
        self._live[partition.number] = partition

    async def revoke(self) -> None:
        """A rebalance takes everything (the client is eager): commit what is processed, then drop it.

        Whoever asks meanwhile waits too: a stop must not be over, and a group not be joined, before this is.
        """
        async with self._revoking:
            await self._revoke()

    async def _revoke(self) -> None:
        self.telemetry.ready(False)
        leaving, self._live, self._held = list(self._live.values()), {}, {}
        self._moved.set()
        if self._preparing is not None:
            preparing, self._preparing, self._preparing_since = self._preparing, None, None
            await cancel([preparing])
            leaving += self._live.values()
            self._live = {}
        await asyncio.gather(*(self._leave(partition) for partition in leaving))
        self._assignment += 1
        for partition in leaving:
            self.telemetry.on_partition_closed(partition.number)

    async def _leave(self, partition: Partition) -> None:
        while (task := self._in_flight.get(partition.number)) is not None:
            await asyncio.wait([task])
        self._begin_epoch(partition)
        while (task := self._in_flight.get(partition.number)) is not None:
            await asyncio.wait([task])
        partition.store.close()
        await stop_producers([partition.producer])

    async def shutdown(self) -> None:
        """Commit what is processed and give everything back. Nothing is taken after this."""
        if self.closed:
            return
        self.closed = True
        await self.revoke()
        await self._hearing.end()
        self.on_closed()

    # --- what the watchdog asks, from its thread --------------------------------------------------------------

    def stuck(self, now: float) -> str | None:
        """Why nothing moves although it should; see Watched."""
        since = self._preparing_since
        limit = seconds(self.options.restore_timeout_ms) + seconds(self.options.stuck_after_ms)
        if since is not None and now - since > limit:
            return f"partitions were not ready {now - since:.0f} s after they were assigned"
        stuck_after = seconds(self.options.stuck_after_ms)
        for number, partition in list(self._live.items()):
            if now - partition.progress_at > stuck_after and partition.has_lag(
                self._held.get(number, frozenset())
            ):
                return f"partition {number} has records to process, and has committed nothing for {stuck_after:.0f} s"
        return None
