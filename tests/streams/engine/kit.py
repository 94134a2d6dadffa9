"""Fakes of what the engine talks to: a producer that fails on order, a consumer, a processor of a few lines."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from aiokafka import TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import RecordMetadata

from schemas.epoch import Epoch, SourceRecord, StateReader, Stored
from schemas.topics import Topics
from streams.engine.options import EngineOptions


class ProcessEnded(BaseException):
    """What the tests' exit raises in place of ending the process."""


class Exits:
    """An `Exit` that remembers why."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def __call__(self, reason: str, cause: BaseException | None = None) -> NoReturn:
        self.reasons.append(f"{reason}: {cause!r}" if cause is not None else reason)
        raise ProcessEnded(self.reasons[-1]) from cause


class _Sender:
    def __init__(self) -> None:
        self.sender_task: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class FakeProducer:
    """A producer that writes down its calls. `fail` names the step that raises, `hang` the one that never ends."""

    def __init__(self, *, fail: str = "", hang: str = "", log: list[str] | None = None) -> None:
        self.calls: list[str] = log if log is not None else []
        self.sent: list[tuple[str, int, Any]] = []
        self.offsets: dict[TopicPartition, int] = {}
        self.fail, self.hang = fail, hang
        self.gate: asyncio.Event | None = None
        """When set: commits wait for it."""
        self._sender = _Sender()
        self._next = 100

    async def _step(self, name: str) -> None:
        self.calls.append(name)
        if name == self.fail:
            raise OSError(f"{name} failed")
        if name == self.hang:
            await asyncio.Event().wait()

    async def start(self) -> None:
        await self._step("start")

    async def stop(self) -> None:
        await self._step("stop")

    async def begin_transaction(self) -> None:
        await self._step("begin")

    def create_batch(self) -> Any:
        return BatchBuilder(2_000, 0, is_transactional=1)

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> asyncio.Future[RecordMetadata]:
        await self._step("send")
        self.sent.append((topic, partition, batch))
        delivery: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        if self.fail in ("delivery", f"delivery to {topic}"):
            delivery.set_exception(OSError("delivery failed"))
        elif self.hang != "delivery":
            tp = TopicPartition(topic, partition)
            delivery.set_result(RecordMetadata(topic, partition, tp, self._next, -1, 0, 0))
            self._next += batch.record_count()
        return delivery

    async def send_offsets_to_transaction(self, offsets: Mapping[TopicPartition, Any], group: str) -> None:
        await self._step("offsets")
        self.offsets = {tp: metadata.offset for tp, metadata in offsets.items()}

    async def commit_transaction(self) -> None:
        if self.gate is not None:
            await self.gate.wait()
        await self._step("commit")


class FakeSource:
    """Opens everything, or nothing when `rebalanced`."""

    def __init__(self) -> None:
        self.opened: dict[TopicPartition, int] = {}
        self.rebalanced = False

    async def open(self, offsets: dict[TopicPartition, int], assignment: int) -> bool:
        if self.rebalanced:
            return False
        self.opened.update(offsets)
        return True


class TinyProcessor:
    """State: key -> number of records; `size` bytes pending a record."""

    def __init__(self, partition: int, state: StateReader, meta: bytes | None, *, size: int = 1) -> None:
        self.meta = meta
        self.state = state
        self.counts_: dict[bytes, int] = {}
        self.size = size
        self.records = 0
        self.expires_day = 0
        self.expire_before_day = 0
        self.times: dict[str, int] = {}
        self.heard: list[tuple[int, bytes]] = []
        self.advance: dict[str, int] = {}
        """How far the event time of a topic goes with the next chunk."""

    def observe(self, *, now_ms: int, idle: frozenset[str]) -> None: ...

    def hear(self, partition: int, report: bytes) -> None:
        self.heard.append((partition, report))

    def process(self, topic: str, records: Sequence[SourceRecord]) -> None:
        for record in records:
            if record.value == b"poison" or record.key is None:
                raise ValueError("poison")
            before = self.counts_.get(record.key) or int(self.state.get(record.key) or b"0")
            self.counts_[record.key] = before + 1
            self.records += 1
        if topic in self.advance:
            self.times = {**self.times, topic: self.times[topic] + self.advance.pop(topic)}

    def flush(self) -> Epoch | None:
        if not self.counts_:
            return None
        state: dict[bytes, Stored | None] = {
            key: Stored(self.expires_day, b"%d" % n) for key, n in self.counts_.items()
        }
        rows = {"toys": [(key, b"%d" % n) for key, n in self.counts_.items()]}
        epoch = Epoch(b"m", state, (), rows, (), self.expire_before_day, (("marks", b"w", b"1"),))
        self.counts_, self.records = {}, 0
        return epoch

    @property
    def pending(self) -> int:
        return self.records * self.size

    def topic_times(self) -> Mapping[str, int]:
        return self.times

    def counts(self) -> Mapping[tuple[str, str, str], int]:
        return {}

    def gauges(self) -> Mapping[str, float]:
        return {}


def options(**changes: Any) -> EngineOptions:
    """Options for a partition count of 2."""
    values: dict[str, Any] = {
        "topics": Topics("t.", "app"),
        "partitions": 2,
        "instance": "0",
        "kafka": {"bootstrap_servers": "nowhere:1"},
        "epoch_interval_ms": 0,  # whatever has come is due with the next tick
        **changes,
    }
    return EngineOptions(**values)


async def until(holds: Callable[[], bool], turns: int = 1_000) -> None:
    """Let the loop turn until it holds."""
    for _ in range(turns):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never held")


def records_of(batch: Any) -> list[tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]]:
    """What is in a batch: key, value, headers."""
    records = MemoryRecords(bytes(batch._build()))
    read = []
    while records.has_next():
        read += [(record.key, record.value, list(record.headers)) for record in records.next_batch()]
    return read
