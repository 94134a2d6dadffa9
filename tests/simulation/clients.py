"""Stand-ins of aiokafka's clients that the engine makes: the transactional producer, and readers without a group."""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import IllegalOperation, NotLeaderForPartitionError, ProducerFenced
from aiokafka.structs import OffsetAndMetadata, RecordMetadata

from schemas.epoch import Record
from tests.simulation.log import Broker, Place, Sent
from tests.simulation.stage import Process, Stage, current

RETRY_SECONDS = 0.02
# An epoch's records are packed into so small batches that a few events make several.
BATCH_RECORDS = (1, 3, 8, 1_000)


class Injected(NotLeaderForPartitionError):  # type: ignore[misc]
    """A failure that the simulation has put there."""


def injected(what: str) -> Exception:
    """What a client raises where the simulation lets a step fail."""
    return Injected(what)


class SimBatch:
    """A batch under construction, by both ways of appending that the product uses."""

    def __init__(self, capacity: int) -> None:
        self.records: list[Sent] = []
        self._capacity = capacity
        self._builder = _Inner(self)
        self._relative_offset = 0

    def append(
        self,
        *,
        timestamp: int | None,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes]],
    ) -> object | None:
        """Take a record; None when the batch is full."""
        return self.add(current().now_ms() if timestamp is None else timestamp, key, value, headers)

    def add(
        self, timestamp: int, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
    ) -> object | None:
        """See `append`."""
        if len(self.records) >= self._capacity:
            return None
        self.records.append((timestamp, key, value, tuple(headers)))
        return self

    def record_count(self) -> int:
        """How many records."""
        return len(self.records)

    def size(self) -> int:
        """Bytes, about."""
        return sum(len(key or b"") + len(value or b"") for _, key, value, _ in self.records)


class _Inner:
    """aiokafka's builder below the builder."""

    def __init__(self, batch: SimBatch) -> None:
        self._batch = batch

    def append(
        self,
        offset: int,
        timestamp: int,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes]],
    ) -> object | None:
        """Take a record; None when the batch is full."""
        return self._batch.add(timestamp, key, value, headers)


class _Sender:
    def __init__(self) -> None:
        self.sender_task: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class SimProducer:
    """A transactional AIOKafkaProducer."""

    broker: Broker

    def __init__(self, *, transactional_id: str, **options: Any) -> None:
        self._process: Process = current()
        self._stage: Stage = self._process.stage
        self._name = transactional_id
        self._epoch = -1
        self._failed = ""
        self._is_open = False
        self._capacity = self._stage.chance.choice(BATCH_RECORDS)
        self._lanes: dict[Place, asyncio.Future[RecordMetadata]] = {}
        self._sender = _Sender()

    async def _call(self, what: str, ask: Any) -> Any:
        """A request, repeated while the coordinator says that the last transaction's end is on its way."""
        while True:
            try:
                answer = await self._stage.io(self._process, f"{what} {self._name}", ask, error=injected)
            except ProducerFenced as error:
                if not self._sender.sender_task.done():
                    self._sender.sender_task.set_exception(error)
                raise
            if answer is not None:
                return answer
            await asyncio.sleep(RETRY_SECONDS)

    async def start(self) -> None:
        """InitProducerId: fences, and aborts what was left open."""
        self._epoch = await self._call("start producer", lambda: self.broker.begin_producer(self._name))

    async def stop(self) -> None:
        """Nothing to wait for."""
        self._process.check()
        self._sender.sender_task.cancel()

    async def begin_transaction(self) -> None:
        """Local. After a commit without an answer there is no next transaction, as in aiokafka."""
        self._process.check()
        if self._is_open:
            raise IllegalOperation(f"{self._name}: the last transaction has not ended")
        self._is_open = True

    def create_batch(self) -> SimBatch:
        """A batch that takes a few records."""
        return SimBatch(self._capacity)

    async def send_batch(
        self, batch: SimBatch, topic: str, *, partition: int
    ) -> asyncio.Future[RecordMetadata]:
        """Returns the delivery. One batch of a partition is on its way at a time."""
        place = (topic, partition)
        before = self._lanes.get(place)
        if before is not None and not before.done():
            await asyncio.wait([before])
        self._lanes[place] = delivery = asyncio.ensure_future(self._deliver(place, batch.records))
        return delivery

    async def _deliver(self, place: Place, records: list[Sent]) -> RecordMetadata:
        try:
            offset = await self._call(
                f"produce {place[0]}/{place[1]}",
                lambda: self.broker.produce(self._name, self._epoch, place, records),
            )
        except Injected as error:
            # aiokafka would commit the transaction all the same.
            self._failed = str(error)
            raise
        return RecordMetadata(*place, TopicPartition(*place), offset, -1, 0, 0)

    async def send_offsets_to_transaction(
        self, offsets: Mapping[TopicPartition, OffsetAndMetadata], group: str
    ) -> None:
        """Source offsets join the transaction."""
        plain = {(tp.topic, tp.partition): metadata.offset for tp, metadata in offsets.items()}
        await self._call("offsets", lambda: self.broker.add_offsets(self._name, self._epoch, group, plain))

    async def commit_transaction(self) -> None:
        """Waits for what is on its way, and ignores how it ended, as aiokafka does."""
        pending = [delivery for delivery in self._lanes.values() if not delivery.done()]
        if pending:
            await asyncio.wait(pending)
        self._lanes.clear()

        def end() -> bool:
            transaction = self.broker.transaction(self._name, self._epoch)
            if transaction is not None and self._failed:
                transaction.failed = self._failed
            return self.broker.end(self._name, self._epoch)

        await self._call("commit", end)
        self._is_open = False


class SimReader:
    """An AIOKafkaConsumer without a group: the reader of a restore, or of what partitions report."""

    broker: Broker
    _fetcher = None

    def __init__(self, **options: Any) -> None:
        self._process: Process = current()
        self._stage: Stage = self._process.stage
        self._positions: dict[TopicPartition, int] = {}
        self._read_committed = options.get("isolation_level") == "read_committed"

    async def start(self) -> None:
        """Connect."""
        await self._stage.io(self._process, "connect", lambda: None)

    async def stop(self) -> None:
        """Nothing to wait for."""

    def assign(self, partitions: list[TopicPartition]) -> None:
        """Local."""

    def pause(self, *partitions: TopicPartition) -> None:
        """Local."""

    def seek(self, tp: TopicPartition, offset: int) -> None:
        """Local."""
        self._positions[tp] = offset

    async def position(self, tp: TopicPartition) -> int:
        """Local."""
        return self._positions[tp]

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        """The first offsets that are kept."""
        return {tp: self.broker.log((tp.topic, tp.partition)).begin for tp in partitions}

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Last stable offsets for a reader of committed records, else high watermarks."""

        def ask() -> dict[TopicPartition, int]:
            logs = {tp: self.broker.log((tp.topic, tp.partition)) for tp in partitions}
            return {tp: log.stable_end if self._read_committed else log.end for tp, log in logs.items()}

        return await self._stage.io(self._process, f"ends of {len(partitions)}", ask, error=injected)

    async def getmany(
        self, tp: TopicPartition, *, timeout_ms: int, max_records: int = 500
    ) -> dict[TopicPartition, list[Record]]:
        """A few committed records, or none after the time; the position moves behind them."""
        self._process.check()
        if self.broker.log((tp.topic, tp.partition)).stable_end <= self._positions[tp]:
            await self.broker.news({(tp.topic, tp.partition)}, timeout_ms / 1000)
            return {}

        def read() -> dict[TopicPartition, list[Record]]:
            limit = min(max_records, self._stage.chance.choice((5, 40, 500)))
            log = self.broker.log((tp.topic, tp.partition))
            records, self._positions[tp] = log.read(self._positions[tp], limit)
            return {tp: records} if records else {}

        return await self._stage.io(self._process, f"read {tp.topic}/{tp.partition}", read)
