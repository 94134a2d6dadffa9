"""The sink's side of Kafka: committed rows in, offsets back."""

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from streams.engine.fetch_task import require_fetching
from streams.settings import Settings

SESSION_TIMEOUT_MS: Final = 7_000
HEARTBEAT_MS: Final = 2_000
FETCH_WAIT_MS: Final = 100
# What the client reads ahead at most while we insert or wait: it fetches no further before this is taken.
FETCH_MAX_BYTES: Final = 16 * 1_048_576
# While ClickHouse is away nothing is polled, for hours if need be, and membership must not end. A loop that hangs sends
# no heartbeats, so a dead sink is found out by its session.
NO_POLL_LIMIT_MS: Final = 2**31 - 1

Place = tuple[str, int]
"""(topic, partition)"""

log = logging.getLogger("shopmeter.sink")


class Revoked(Exception):
    """The partitions were given out anew: whatever is held and not committed will be read again, by whoever has them."""


class AssignmentBroken(Exception):
    """Partition p of all topics must be with one sink, and is not. The message says which topic differs."""


class RowsReader(ConsumerRebalanceListener):  # type: ignore[misc]
    """A consumer of rows, interventions and dead letters. `generation` grows with every rebalance."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        topics = settings.topics
        self.dead_letters: Final = topics.dead_letter
        self.topics: Final = topics.sunk
        self.group: Final = f"{settings.application}-sink"
        self.generation = 0
        self.assigned = False
        self._is_rebalancing = True
        self._fault: Exception | None = None
        self._committed: dict[TopicPartition, int] = {}
        self._consumer: Any = None

    async def start(self) -> None:
        """Connect and join the group. Raises KafkaError when the brokers can't be reached."""
        self._consumer = AIOKafkaConsumer(
            **self._settings.kafka_client_options(),
            client_id=f"{self.group}-{self._settings.sink.instance}",
            group_id=self.group,
            # Without it a restart after kill -9 would wait for the ghost of its predecessor.
            group_instance_id=f"{self.group}-{self._settings.sink.instance}",
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            partition_assignment_strategy=(RangePartitionAssignor,),
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
            max_poll_interval_ms=NO_POLL_LIMIT_MS,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            fetch_max_bytes=FETCH_MAX_BYTES,
        )
        self._consumer.subscribe(list(self.topics), listener=self)
        await self._consumer.start()

    async def stop(self) -> None:
        """Leave Kafka. A static member's partitions stay reserved for its restart."""
        if self._consumer is not None:
            await self._consumer.stop()
        self._consumer = None

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Called by the client before partitions are given out anew."""
        self.generation += 1
        self.assigned = False
        self._is_rebalancing = True

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Called by the client with our share."""
        self.generation += 1
        self._is_rebalancing = False
        self._committed = {}
        shares = {topic: {tp.partition for tp in assigned if tp.topic == topic} for topic in self.topics}
        first, *others = self.topics
        odd = [topic for topic in others if shares[topic] != shares[first]]
        if odd:
            # Kept for `fetch`: the client only logs what a listener raises.
            self._fault = AssignmentBroken(
                f"{odd[0]} came with partitions {sorted(shares[odd[0]])}, {first} with"
                f" {sorted(shares[first])}: all topics need the same partition count;"
                " run `shopmeter topics check`"
            )
        self.assigned = bool(assigned)
        log.info("sink %s has partitions %s", self._settings.sink.instance, sorted(shares[first]))

    async def fetch(self, *, timeout_ms: int, max_records: int) -> Mapping[TopicPartition, Sequence[Any]]:
        """Records in offset order for each partition, of the generation at the moment of return."""
        # What the client has read ahead it gives without waiting: with a backlog nobody else gets a turn before all of it
        # is taken, and on a busy machine the session ends. Not behind the fetch: a generation may end in a turn.
        await asyncio.sleep(0)
        fetched: Mapping[TopicPartition, Sequence[Any]] = await self._consumer.getmany(
            timeout_ms=timeout_ms, max_records=max_records
        )
        if self._fault is not None:
            raise self._fault
        require_fetching(self._consumer)
        return fetched

    async def positions(self) -> dict[Place, int]:
        """The next offset of every assigned partition, behind transaction markers. Raises Revoked.

        Between two generations too: the client still has the old positions then, and the broker still takes them, but
        the rows before them were let go of, so a commit would lose what had not been inserted.
        """
        out: dict[Place, int] = {}
        if self._is_rebalancing:
            raise Revoked("a rebalance is on its way")
        try:
            for tp in self._consumer.assignment():
                out[tp.topic, tp.partition] = await self._consumer.position(tp)
        except IllegalStateError as error:
            raise Revoked(str(error)) from error
        return out

    async def commit(self, places: Mapping[Place, int]) -> None:
        """Commit the next offsets. A commit that fails costs a repetition, nothing else."""
        offsets = {TopicPartition(*place): offset for place, offset in places.items()}
        changed = {tp: offset for tp, offset in offsets.items() if self._committed.get(tp) != offset}
        if not changed:
            return
        try:
            await self._consumer.commit(changed)
        except (
            CommitFailedError,
            IllegalStateError,
            RebalanceInProgressError,
            UnknownMemberIdError,
        ) as error:
            raise Revoked(str(error)) from error
        self._committed.update(changed)
