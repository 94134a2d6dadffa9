"""An engine on fakes: partitions come and go without Kafka."""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import TopicPartition

from schemas.epoch import PartitionProcessor, Record, StateReader
from schemas.topics import INPUTS
from streams.engine.chunks import Chunk
from streams.engine.engine import Engine
from streams.engine.hearing import OnReport
from streams.engine.options import EngineOptions
from streams.engine.restore import Restored
from streams.engine.state import MemoryStore, StateStore
from tests.streams.engine.kit import Exits, FakeProducer, FakeSource, TinyProcessor, options, until


class Bench:
    """An engine on fakes. `log`: what happened, in order."""

    def __init__(self, *, size: int = 1, **changes: Any) -> None:
        self.log: list[str] = []
        self.exits = Exits()
        self.producers: dict[int, FakeProducer] = {}
        self.stores: dict[int, MemoryStore] = {}
        self.processors: dict[int, TinyProcessor] = {}
        self.restore_gate: asyncio.Event | None = None
        self.fail = ""
        self.swallows = 0
        """So many cancellations that meet a restore are lost, as in aiokafka's closing clients."""
        self.size = size
        self.source = FakeSource()
        self.engine = Engine(
            options(**changes),
            self._processor,
            self._store,
            exit=self.exits,
            make_producer=self._producer,
            end_hanging=self._end_hanging,
            restore=self._restore,
            hear=self._hear,
            now_ms=lambda: 0,
        )
        self.engine.source = self.source

    def _processor(self, partition: int, state: StateReader, meta: bytes | None) -> PartitionProcessor:
        self.processors[partition] = TinyProcessor(partition, state, meta, size=self.size)
        return self.processors[partition]

    def _store(self, partition: int) -> StateStore:
        return self.stores.setdefault(partition, MemoryStore(partition))

    def _producer(self, _: EngineOptions, partition: int) -> FakeProducer:
        self.producers[partition] = FakeProducer(log=self.log, fail=self.fail)
        return self.producers[partition]

    async def _hear(self, _: EngineOptions, on_report: OnReport) -> None:
        self.on_report = on_report
        await asyncio.Event().wait()

    async def _end_hanging(self, _: EngineOptions, producers: Mapping[int, Any]) -> None:
        """Nothing hangs."""

    async def _restore(self, partition: int, store: StateStore, _: EngineOptions) -> Restored:
        self.log.append("restore")
        if self.restore_gate is not None:
            try:
                await self.restore_gate.wait()
            except asyncio.CancelledError:
                if not self.swallows:
                    raise
                self.swallows -= 1
                await asyncio.Event().wait()
        offsets = store.meta.offsets if store.meta else {}
        return Restored({name: offsets.get(name, 0) for name in INPUTS}, {}, 0)

    def assign(self, *numbers: int) -> None:
        self.engine.assign(
            frozenset(
                TopicPartition(options().topics.source(name), number) for name in INPUTS for number in numbers
            )
        )

    async def ready(self, *numbers: int) -> None:
        self.assign(*numbers)
        await until(lambda: len(self.engine.wanted()[1]) == len(numbers) * len(INPUTS))

    def chunk(self, begin: int, count: int = 1, *, partition: int = 0, value: bytes = b"v") -> Chunk:
        records = [Record(begin + n, 0, b"k", value) for n in range(count)]
        return Chunk("cart", partition, begin, begin + count, records, self.engine.wanted()[0])
