"""Toy workers as processes, events for them, and what they must have written: the engine's tests on a real broker."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from os import getpid
from pathlib import Path
from sys import executable
from typing import Any, Self
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from deploy.local import launch
from schemas.topics import SOURCES, row_key
from streams.topics import create_topics
from tests.kafka.toy_worker import TABLE, Toy

STEP_MS = 10


class Process:
    """A toy worker as a process. Its lines are kept; `saw` waits for one."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._changed = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            async with self._changed:
                self.lines.append(line.decode(errors="replace").rstrip())
                self._changed.notify_all()
        await self.process.wait()
        async with self._changed:
            self._changed.notify_all()

    def seen(self, text: str) -> int:
        """How many lines hold the text."""
        return sum(text in line for line in self.lines)

    async def saw(self, text: str, *, times: int = 1, seconds: float = 60.0) -> None:
        """Wait until so many lines hold the text; AssertionError with the log when it ended or time is over."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(
                    lambda: self.seen(text) >= times or self.process.returncode is not None
                )
        except TimeoutError:
            raise AssertionError(f"no {text!r} within {seconds} s:\n" + "\n".join(self.lines[-60:])) from None
        assert self.seen(text) >= times, f"ended without {text!r}:\n" + "\n".join(self.lines[-60:])

    async def ended(self, seconds: float = 30.0) -> int:
        """Its exit code; AssertionError when it does not end."""
        try:
            async with asyncio.timeout(seconds):
                code = await self.process.wait()
                await self._reader
        except TimeoutError:
            raise AssertionError(f"still runs after {seconds} s:\n" + "\n".join(self.lines[-60:])) from None
        return code

    async def kill(self) -> None:
        """kill -9, and wait."""
        if self.process.returncode is None:
            self.process.kill()
        await self.ended()

    async def stop(self, seconds: float = 15.0) -> int:
        """SIGTERM; the exit code."""
        self.process.terminate()
        return await self.ended(seconds)


@dataclass
class ToyShop:
    """One application of its own on the broker: topics, events, workers, and the counts that must come out."""

    toy: Toy
    directory: Path
    expected: Counter[bytes] = field(default_factory=Counter)
    offset: dict[tuple[str, int], int] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    _admin: Any = None
    _producer: Any = None

    async def __aenter__(self) -> Self:
        self._admin = AIOKafkaAdminClient(bootstrap_servers=self.toy.bootstrap)
        await self._admin.start()
        await create_topics(self.toy.settings())
        self._producer = AIOKafkaProducer(bootstrap_servers=self.toy.bootstrap, enable_idempotence=True)
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self.processes:
            await process.kill()
        await self._producer.stop()
        await self._admin.close()

    async def produce(
        self,
        count: int,
        *,
        keys: int = 50,
        seed: int = 0,
        topics: tuple[str, ...] = SOURCES,
        start_ms: int | None = None,
        step_ms: int = STEP_MS,
        per_second: float = 0.0,
        partition: int | None = None,
        enough: Callable[[], bool] = lambda: False,
    ) -> None:
        """Events of random keys over the topics, at most `count`; the key decides the partition."""
        chance = random.Random(seed)
        prefix = self.toy.prefix
        at = int(time.time() * 1000) if start_ms is None else start_ms
        futures = []
        began = time.monotonic()
        for index in range(count):
            if enough():
                break
            number = chance.randrange(keys)
            to = number % self.toy.partitions if partition is None else partition
            key = b"p%d-%d" % (to, number)
            self.expected[key] += 1
            topic = topics[index % len(topics)]
            futures.append(
                await self._producer.send(
                    prefix + topic, b"%013d" % (at + index * step_ms), key=key, partition=to
                )
            )
            if per_second and index % 50 == 49:
                await asyncio.sleep(max(0.0, began + (index + 1) / per_second - time.monotonic()))
        await asyncio.gather(*futures)

    async def send(self, topic: str, value: bytes, *, key: bytes = b"k", partition: int = 0) -> None:
        """One record, whatever it is."""
        await self.send_raw(self.toy.prefix + topic, value, key=key, partition=partition)

    async def send_raw(self, topic: str, value: bytes, *, key: bytes, partition: int = 0) -> None:
        """One record to a topic by its full name."""
        await self._producer.send_and_wait(topic, value, key=key, partition=partition)

    async def abort(self, topic: str) -> None:
        """A transaction on partition 0 that is written and aborted."""
        async with AIOKafkaProducer(
            bootstrap_servers=self.toy.bootstrap, transactional_id=f"{self.toy.application}-0"
        ) as producer:
            await producer.begin_transaction()
            await producer.send_and_wait(topic, b"never", key=b"k", partition=0)
            await producer.abort_transaction()

    async def worker(self, instance: str = "0", **changes: Any) -> Process:
        """Start a worker. Its state lies below the test's directory, a new one for each instance."""
        toy = replace(self.toy, instance=instance, state_dir=str(self.directory / f"state-{instance}"))
        toy = replace(toy, **changes)
        process = Process(
            await asyncio.create_subprocess_exec(
                executable,
                str(Path(launch.__file__)),
                str(getpid()),
                *toy.argv(),
                stderr=asyncio.subprocess.PIPE,
                limit=1 << 20,
            )
        )
        self.processes.append(process)
        return process

    async def read(self, topic: str) -> list[Any]:
        """All committed records of a topic, in offset order within each partition."""
        reader = AIOKafkaConsumer(
            bootstrap_servers=self.toy.bootstrap,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
        )
        await reader.start()
        try:
            partitions = [TopicPartition(topic, number) for number in range(self.toy.partitions)]
            ends = await reader.end_offsets(partitions)
            reader.assign(partitions)
            await reader.seek_to_beginning(*partitions)
            records: list[Any] = []
            for partition in partitions:
                while await reader.position(partition) < ends[partition]:
                    for batch in (await reader.getmany(timeout_ms=50)).values():
                        records += batch
        finally:
            await reader.stop()
        return records

    async def written(self) -> Counter[bytes]:
        """Key -> its last committed row. AssertionError when a row's count ever went back: work was undone."""
        last: Counter[bytes] = Counter()
        for record in await self.read(self.toy.topics().rows):
            count, key = int(record.value), record.key.removeprefix(row_key(TABLE, b""))
            assert count >= last[key], f"{key!r} went from {last[key]} back to {count}"
            last[key] = count
        return last

    async def exact(self, seconds: float = 60.0) -> None:
        """Wait until every key has exactly its count; AssertionError with the differences when time is over."""
        deadline = time.monotonic() + seconds
        while (written := await self.written()) != self.expected:
            over = {key: count for key, count in written.items() if count > self.expected[key]}
            assert not over, f"counted more than was sent: {list(over.items())[:10]}"
            if time.monotonic() > deadline:
                logs = "\n--\n".join("\n".join(process.lines[-40:]) for process in self.processes)
                missing = self.expected - written
                raise AssertionError(
                    f"missing after {seconds} s: {sum(missing.values())} in {len(missing)} keys\n{logs}"
                )
            await asyncio.sleep(0.2)

    async def committed(self) -> dict[tuple[str, int], int]:
        """The group's committed offsets by (topic, partition)."""
        offsets = await self._admin.list_consumer_group_offsets(self.toy.application)
        return {(tp.topic, tp.partition): metadata.offset for tp, metadata in offsets.items()}


@asynccontextmanager
async def toy_shop(
    bootstrap: str, directory: Path, *, partitions: int = 4, **options: Any
) -> AsyncIterator[ToyShop]:
    """A shop of its own names; everything it started has ended afterwards."""
    name = uuid4().hex[:8]
    toy = Toy(bootstrap, f"toy-{name}", f"{name}.", partitions, data_dir=str(directory), options=options)
    async with ToyShop(toy, directory) as shop:
        yield shop
