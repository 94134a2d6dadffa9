"""The consumer thread's side: Faust's aiokafka thread, taking whole runs of records instead of single ones.

Faust calls `seek_to_committed` and reads `assignment()` during rebalances, where aiokafka may have none ("No current
assignment"). Nothing here asks aiokafka for an assignment: it looks at the one there is, if there is one, and hands
out records only of partitions that the engine has opened under it.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import aiokafka
from aiokafka import TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import ConsumerStoppedError
from faust.transport.drivers.aiokafka import DEFAULT_GENERATION_ID, AIOKafkaConsumerThread

from streams.engine.chunks import Chunk
from streams.engine.ends import End
from streams.engine.fetch_task import require_fetching
from streams.engine.options import SECOND_MS, EngineOptions

# Records of one call: enough to keep the worker busy while the next call runs, few enough to bound memory. Of a live
# shop's topics all that has come: what is left waits for another turn, and the next fetch with it.
RECORDS_A_CALL = 4_000


class Taken(NamedTuple):
    """What one call brought: chunks in the order they must be processed, and the ends of all opened partitions."""

    chunks: list[Chunk]
    ends: dict[TopicPartition, End]


class _Opened:
    """A topic-partition that the engine reads: under which assignment, and when the broker last answered for it."""

    __slots__ = ("answered", "assignment", "owner", "seen")

    def __init__(self, owner: Any, assignment: int) -> None:
        self.owner = owner  # aiokafka's Assignment object; a rebalance makes a new one
        self.assignment = assignment
        self.answered: int | None = None
        self.seen = 0.0


class ChunkThread(AIOKafkaConsumerThread):  # type: ignore[misc]
    """Faust's consumer thread with a fetch of its own. Everything but the constructor runs in the thread."""

    options: EngineOptions

    def __post_init__(self) -> None:
        super().__post_init__()
        self.options = self.consumer.options
        self._opened: dict[TopicPartition, _Opened] = {}

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        options = self.options
        return aiokafka.AIOKafkaConsumer(
            **options.kafka,
            client_id=f"{options.application}-{options.instance}",
            group_id=options.application,
            # Without a static slot, a restart after kill -9 waits until the ghost's session has run out.
            group_instance_id=f"{options.application}-{options.instance}",
            # Range, not Faust's round robin: equal counts put partition p of all topics on one worker.
            partition_assignment_strategy=[RangePartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            # Faust reads uncommitted records unless it runs its own transactions: aborted forwards would count.
            isolation_level="read_committed",
            max_poll_records=options.chunk_max_records,
            # A restore does not poll; it has its own deadline.
            max_poll_interval_ms=10 * options.restore_timeout_ms,
            max_partition_fetch_bytes=options.fetch_partition_bytes,
            fetch_max_bytes=options.fetch_max_bytes,
            fetch_min_bytes=options.fetch_min_bytes,
            # Faust's 1,500 ms delays records of every partition that is not in the waiting fetch.
            fetch_max_wait_ms=options.fetch_max_wait_ms,
            session_timeout_ms=options.session_timeout_ms,
            heartbeat_interval_ms=options.heartbeat_ms,
            rebalance_timeout_ms=options.rebalance_timeout_ms,
        )

    async def open(self, offsets: Mapping[TopicPartition, int], assignment: int) -> bool:
        """Read these topic-partitions from these offsets. False when a rebalance took them away meanwhile."""
        opened: bool = await self.call_thread(self._open, offsets, assignment)
        return opened

    async def take(self, wanted: Mapping[TopicPartition, int], assignment: int, timeout: float) -> Taken:
        """Chunks of the wanted topic-partitions, each of at most so many records; none after `timeout` seconds."""
        taken: Taken = await self.call_thread(self._take, wanted, assignment, timeout)
        return taken

    def is_member(self) -> bool:
        """Does the group still know us? False when the session ran out, or another worker took our slot."""
        consumer = self._consumer
        return consumer is not None and consumer._coordinator.generation != DEFAULT_GENERATION_ID

    def group_error(self) -> BaseException | None:
        """What has ended the coordination of the group, if anything has.

        aiokafka keeps it for whoever polls next, and stands still until then. We poll only what we have been assigned:
        a worker whose join had failed waited for partitions for ever.
        """
        consumer = self._consumer
        coordinator = consumer._coordinator if consumer is not None else None
        if coordinator is None:
            return None  # not started yet
        error: BaseException | None = coordinator._pending_exception
        task = coordinator._coordination_task
        if error is None and task.done() and not task.cancelled():
            error = task.exception()
        return error

    async def _open(self, offsets: Mapping[TopicPartition, int], assignment: int) -> bool:
        owner = self._current_assignment()
        if owner is None or not owner.tps >= offsets.keys():
            return False
        consumer = self._ensure_consumer()
        self._opened = {tp: opened for tp, opened in self._opened.items() if opened.owner is owner}
        for tp, offset in offsets.items():
            consumer.seek(tp, offset)
            self._opened[tp] = _Opened(owner, assignment)
        return True

    async def _take(self, wanted: Mapping[TopicPartition, int], assignment: int, timeout: float) -> Taken:
        consumer = self._ensure_consumer()
        fetcher = consumer._fetcher
        if consumer._closed or fetcher is None or fetcher._closed:
            raise ConsumerStoppedError()
        require_fetching(consumer)
        # The client counts this as polling. In a catch-up where something always is there, it would leave the group.
        with fetcher._subscriptions.fetch_context():
            chunks = self._drain(fetcher, wanted, assignment)
            if not chunks:
                waiter = fetcher._create_fetch_waiter()
                done, _ = await asyncio.wait([waiter], timeout=timeout)
                if not done:
                    waiter.cancel()
                elif not fetcher._closed:
                    waiter.result()  # raises what ended the group: no right to read, another worker in our slot
                    chunks = self._drain(fetcher, wanted, assignment)
        return Taken(chunks, self._ends())

    def _drain(self, fetcher: Any, wanted: Mapping[TopicPartition, int], assignment: int) -> list[Chunk]:
        """A chunk of each topic-partition of which something is fetched, up to about RECORDS_A_CALL in all."""
        chunks: list[Chunk] = []
        records = 0
        owner = self._current_assignment()
        if owner is None:
            return chunks
        fetched = fetcher._records
        for tp in list(fetched):
            opened = self._opened.get(tp)
            # What is not wanted stays where it is: it is neither lost nor acknowledged, and not fetched again.
            if (
                tp not in wanted
                or opened is None
                or opened.owner is not owner
                or opened.assignment != assignment
            ):
                continue
            chunk = self._chunk(fetcher, tp, owner.state_value(tp), assignment, wanted[tp])
            if chunk is not None:
                chunks.append(chunk)
                records += len(chunk.records)
                if records >= RECORDS_A_CALL:
                    break
        return chunks

    def _chunk(
        self, fetcher: Any, tp: TopicPartition, state: Any, assignment: int, size: int
    ) -> Chunk | None:
        result = fetcher._records[tp]
        if not hasattr(result, "getall"):  # a FetchError: too large a record, no right to read
            del fetcher._records[tp]
            fetcher._notify(fetcher._wait_consume_future)
            result.check_raise()
        begin = state.position
        if result.has_more():
            # aiokafka wraps each record once more; the decoded record has all that a processor reads.
            result._partition_records._consumer_record = _as_it_is
        records = result.getall(size)
        if result.has_more():
            fetcher._records.move_to_end(tp)
        else:
            del fetcher._records[tp]
            fetcher._notify(fetcher._wait_consume_future)
        end = state.position
        if begin == end:
            return None
        topic, taken_ms = self.options.topics.short(tp.topic), int(time.time() * SECOND_MS)
        return Chunk(topic, tp.partition, begin, end, records, assignment, taken_ms)

    def _ends(self) -> dict[TopicPartition, End]:
        ends: dict[TopicPartition, End] = {}
        owner = self._current_assignment()
        if owner is None:
            return ends
        now = time.monotonic()
        for tp, opened in self._opened.items():
            if opened.owner is not owner:
                continue
            state = owner.state_value(tp)
            if state.timestamp is None:
                continue
            if state.timestamp != opened.answered:
                opened.answered = state.timestamp
                opened.seen = now
            end = state.lso if state.lso is not None and state.lso >= 0 else state.highwater
            ends[tp] = End(end, opened.seen, state.timestamp)
        return ends

    def _current_assignment(self) -> Any | None:
        consumer = self._consumer
        if consumer is None or consumer._subscription.reassignment_in_progress:
            return None
        subscription = consumer._subscription.subscription
        assignment = subscription.assignment if subscription is not None else None
        return assignment if assignment is not None and assignment.active else None


def _as_it_is(tp: TopicPartition, record: Any) -> Any:
    return record


def seconds(milliseconds: int) -> float:
    """Milliseconds to seconds, for the clients and timers that want them."""
    return milliseconds / SECOND_MS
