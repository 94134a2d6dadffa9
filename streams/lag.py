"""How far a consumer group is behind, asked of the brokers: in records, and in seconds of record time.

Nothing here is the worker's: a worker that hangs can't report its own lag, and Faust's sensors then keep the last one.
Three questions, in this order: committed offsets of the group, ends of the partitions, and the first record behind each
committed offset. Ends are last stable offsets; what an open transaction holds back nobody can process yet.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaError,
    NotCoordinatorForGroupError,
)

from streams.closing import within
from streams.rows_reader import RowsReader
from streams.settings import Settings

NEVER_COMMITTED: Final = -1
MEASURE_TIMEOUT_S: Final = 10.0
CLOSE_TIMEOUT_S: Final = 5.0
COORDINATOR_WAIT_S: Final = 0.1
COORDINATOR_ERRORS: Final = (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)
# Of each unread partition one batch is fetched and one record looked at; the broker sends a larger first batch too.
FETCH_BYTES: Final = 65_536
FETCH_WAIT_MS: Final = 100
# Short: behind the last record only transaction markers come, which end no wait.
POLL_MS: Final = 20

log = logging.getLogger("shopmeter.probe")


class LagError(RuntimeError):
    """Lag could not be measured. The message says what did not answer, and what now."""


class PartitionLag(NamedTuple):
    """One partition as one group sees it."""

    topic: str
    partition: int
    committed: int
    """The next offset to process; NEVER_COMMITTED (-1) when the group has none."""
    begin: int
    end: int
    """The last stable offset."""
    oldest_ms: int | None
    """Timestamp of the oldest record that is not processed; None: there is none, at most transaction markers."""

    @property
    def next(self) -> int:
        """Where the group goes on: both groups begin at the earliest record when they have no offset."""
        return max(self.committed, self.begin)

    @property
    def records(self) -> int:
        """Offsets not processed, markers too. What retention deleted unread is not lag any more, but loss."""
        return max(0, self.end - self.next)

    def seconds(self, now_ms: int) -> float:
        """Age of the oldest unprocessed record, 0 without one. A producer's clock that is ahead gives 0, not less."""
        return 0.0 if self.oldest_ms is None else max(0, now_ms - self.oldest_ms) / 1000


class GroupLag(NamedTuple):
    """All partitions of one group."""

    group: str
    partitions: tuple[PartitionLag, ...]

    def max_seconds(self, now_ms: int) -> float:
        """The worst partition's."""
        return max((partition.seconds(now_ms) for partition in self.partitions), default=0.0)


def watched_groups(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Consumer group -> its topics: the workers' on what they take in, the sinks' on rows and dead letters."""
    reader = RowsReader(settings)
    return {settings.application: settings.topics.inputs, reader.group: reader.topics}


class LagReader:
    """Measures lag. `async with`, or `start` and `stop`; one measurement at a time.

    >>> async with LagReader(settings) as reader:
    ...     worker, sink = await reader.measure()
    """

    def __init__(self, settings: Settings, groups: Mapping[str, Sequence[str]] | None = None) -> None:
        self._settings = settings
        self._groups = {
            group: [
                TopicPartition(topic, number) for topic in topics for number in range(settings.partitions)
            ]
            for group, topics in (groups or watched_groups(settings)).items()
        }
        options = settings.kafka_client_options()
        self._admin: Any = AIOKafkaAdminClient(**options, client_id=f"{settings.application}-probe")
        self._consumer: Any = AIOKafkaConsumer(
            **options,
            client_id=f"{settings.application}-probe",
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=FETCH_WAIT_MS,
        )
        # What lay behind an offset up to an end does not change, but for what retention deletes.
        self._known: dict[TopicPartition, tuple[int, int, int | None]] = {}
        self._beyond: set[tuple[str, TopicPartition]] = set()

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that are watched, the workers' first."""
        return tuple(self._groups)

    async def start(self) -> None:
        """Connect. Raises KafkaError when no broker answers."""
        await self._admin.start()
        await self._consumer.start()
        partitions = sorted({tp for group in self._groups.values() for tp in group})
        # Assigned once, all at rest: a new assignment would make the client ask for all metadata again.
        self._consumer.assign(partitions)
        self._consumer.pause(*partitions)
        for tp in partitions:
            self._consumer.seek(tp, 0)

    async def stop(self) -> None:
        """Disconnect; a broker that is gone can't hold it up."""
        for stop in (self._consumer.stop, self._admin.close):
            await within(stop(), CLOSE_TIMEOUT_S)

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def measure(self) -> list[GroupLag]:
        """The lag of every group. Raises LagError within MEASURE_TIMEOUT_S, never half a measurement."""
        try:
            async with asyncio.timeout(MEASURE_TIMEOUT_S):
                return [await self._measure(group) for group in self._groups]
        except TimeoutError:
            raise LagError(
                f"{self._settings.kafka.bootstrap}: no answer about groups and topics within {MEASURE_TIMEOUT_S:.0f} s;"
                " is the broker up, and does `shopmeter topics check` find every topic?"
            ) from None
        except KafkaError as error:
            raise LagError(f"{self._settings.kafka.bootstrap}: lag can't be measured: {error!r}") from error

    async def _measure(self, group: str) -> GroupLag:
        partitions = self._groups[group]
        # Committed offsets first: asked for after the ends they could be ahead of them, a lag below zero.
        committed = await self.committed(group)
        begins = await self._consumer.beginning_offsets(partitions)
        ends = await self._consumer.end_offsets(partitions)
        lags = {
            tp: PartitionLag(tp.topic, tp.partition, committed[tp], begins[tp], ends[tp], None)
            for tp in partitions
        }
        self._watch_for_beyond(group, lags)
        unread = {tp: lag for tp, lag in lags.items() if lag.records}
        oldest = await self.first_records(
            {tp: lag.next for tp, lag in unread.items()}, {tp: lag.end for tp, lag in unread.items()}
        )
        return GroupLag(group, tuple(lag._replace(oldest_ms=oldest.get(tp)) for tp, lag in lags.items()))

    async def committed(self, group: str) -> dict[TopicPartition, int]:
        """The group's committed offset of each of its partitions, -1 for none.

        Waits for a coordinator that is not ready (a broker that has just started); bound it with a timeout.
        """
        partitions = self._groups[group]
        while True:
            try:
                found = await self._admin.list_consumer_group_offsets(group, partitions=partitions)
                # A coordinator that still loads answers with an error for the group and no partitions, and the client
                # passes that on as "nothing committed".
                if all(tp in found for tp in partitions):
                    return {tp: found[tp].offset for tp in partitions}
            except COORDINATOR_ERRORS:
                pass
            await asyncio.sleep(COORDINATOR_WAIT_S)

    async def first_records(
        self, starts: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, int | None]:
        """The timestamp (ms) of the first committed record in [start, end), None where only markers lie.

        Waits while an open transaction hides a part of it; bound it with a timeout.
        """
        found: dict[TopicPartition, int | None] = {}
        for tp, start in starts.items():
            known = self._known.get(tp)
            if known is not None and known[0] == start and (known[2] is not None or known[1] >= ends[tp]):
                found[tp] = known[2]
        pending = {tp: start for tp, start in starts.items() if tp not in found and start < ends[tp]}
        for tp, start in pending.items():
            self._consumer.seek(tp, start)
        self._consumer.resume(*pending)
        try:
            while pending:
                fetched = await self._consumer.getmany(*pending, timeout_ms=POLL_MS, max_records=1)
                for tp, records in fetched.items():
                    oldest = records[0].timestamp if records[0].offset < ends[tp] else None
                    found[tp] = self._note(tp, pending.pop(tp), ends[tp], oldest)
                for tp in list(pending):
                    if await self._consumer.position(tp) >= ends[tp]:
                        found[tp] = self._note(tp, pending.pop(tp), ends[tp], None)
        finally:
            self._rest(pending)
        return found

    def _note(self, tp: TopicPartition, start: int, end: int, oldest: int | None) -> int | None:
        self._known[tp] = (start, end, oldest)
        self._rest([tp])
        return oldest

    def _rest(self, partitions: Collection[TopicPartition]) -> None:
        self._consumer.pause(*partitions)
        for tp in partitions:
            # Throws away what the client has buffered, else it waits with other fetches until somebody takes it.
            self._consumer.seek(tp, 0)

    def _watch_for_beyond(self, group: str, lags: Mapping[TopicPartition, PartitionLag]) -> None:
        for tp, lag in lags.items():
            if lag.committed <= lag.end:
                self._beyond.discard((group, tp))
            elif (group, tp) not in self._beyond:
                self._beyond.add((group, tp))
                log.error(
                    "%s/%d: group %s has committed offset %d, but the topic ends at %d: it was truncated or made anew,"
                    " and its lag shows 0 until it is longer than that",
                    tp.topic, tp.partition, group, lag.committed, lag.end,
                )  # fmt: skip
