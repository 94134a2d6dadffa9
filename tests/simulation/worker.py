"""A worker's process: the real engine, and what Faust and the consumer thread do around it.

As in `streams.engine.fetching` and `transport`: fetches of all opened topic-partitions, chunks that may not reach beyond
what was fetched, a bounded queue of them, a commit timer, and revocations before assignments.
"""

import asyncio
from typing import Any, Final, NoReturn

from aiokafka import TopicPartition
from aiokafka.errors import ProducerFenced

from schemas.epoch import ProcessorFactory, Record
from streams.app import QUEUED_FETCHES
from streams.engine.chunks import Chunk
from streams.engine.ends import End
from streams.engine.engine import Engine
from streams.engine.options import EngineOptions
from tests.simulation.clients import Injected
from tests.simulation.disk import Disk
from tests.simulation.group import Group
from tests.simulation.log import Broker, Place
from tests.simulation.stage import Process, Stage

FETCH_SECONDS: Final = 0.25
CHUNKS_A_CALL: Final = 8
_EXPECTED: Final = (ProducerFenced, Injected, TimeoutError)
"""What may end a worker in a simulation. Anything else is a finding."""


class Ended(BaseException):
    """What the engine's exit raises: the process is no more."""


class _Fetched:
    """What a response brought for one topic-partition, and where it stands."""

    __slots__ = ("answered_ms", "end", "offset", "position", "records", "seen")

    def __init__(self, offset: int) -> None:
        self.position = offset
        self.records: list[Record] = []
        self.end = offset
        """Position when all records are taken."""
        self.offset: int | None = None
        self.seen = 0.0
        self.answered_ms = 0


class Worker:
    """One life of one worker slot; see Member, and the engine's Source."""

    def __init__(
        self,
        stage: Stage,
        broker: Broker,
        group: Group,
        process: Process,
        *,
        options: EngineOptions,
        factory: ProcessorFactory,
        disk: Disk,
    ) -> None:
        self.process = process
        self.slot = options.instance
        self._stage, self._broker, self._group = stage, broker, group
        self._options = options
        self._fetched: dict[Place, _Fetched] = {}
        self._share: frozenset[TopicPartition] = frozenset()
        self._queue: asyncio.Queue[list[Chunk]] = asyncio.Queue(QUEUED_FETCHES)
        self.engine = Engine(
            options,
            factory,
            lambda partition: disk.open(partition, process),
            exit=self._exit,
            now_ms=process.now_ms,
        )
        self.engine.source = self

    def start(self) -> None:
        """Begin to work; ends with the process."""
        self.process.spawn(self._main())

    async def _main(self) -> None:
        for work in (self._fetch(), self._process(), self._tick()):
            self.process.spawn(self._guarded(work))
        self._group.join(self)

    async def stop(self) -> None:
        """SIGTERM: commit, leave, end."""
        self._stage.note(f"{self.process.name} is told to stop")
        await self.engine.shutdown()
        self._group.leave(self)
        self.process.kill("stopped")

    def _exit(self, reason: str, cause: BaseException | None = None) -> NoReturn:
        if self.process.alive:
            # Whoever was thought dead may be fenced in the middle of anything.
            expected = isinstance(cause, _EXPECTED) or not self._group.holds(self)
            if not expected:
                self._stage.find(f"{self.process.name} ends itself: {reason}: {cause!r}")
            self.process.kill(f"{reason}: {cause!r}")
        raise Ended(reason) from cause

    async def _guarded(self, work: Any) -> None:
        try:
            await work
        except Exception as error:
            if self.process.alive:
                self._stage.find(f"{self.process.name}: {error!r}")
                self.process.kill("a part of the worker crashed")

    # --- what the group asks ------------------------------------------------------------------------------------

    async def revoke(self) -> None:
        """See Member."""
        if not self._group.holds(self) and not self.engine.closed:
            self._exit("the group does not know this worker any more")
        self._share = frozenset()
        await self.engine.revoke()

    def assign(self, partitions: list[int]) -> None:
        """See Member."""
        topics = self._options.topics.inputs
        self._share = frozenset(TopicPartition(topic, number) for topic in topics for number in partitions)
        self._fetched = {}
        self.process.spawn(self._assigned(self._share))

    async def _assigned(self, share: frozenset[TopicPartition]) -> None:
        if share is self._share:
            self.engine.assign(share)

    # --- fetching -----------------------------------------------------------------------------------------------

    async def open(self, offsets: dict[TopicPartition, int], assignment: int) -> bool:
        """See Source."""
        await asyncio.sleep(self._stage.latency())
        if not self._share >= offsets.keys():
            return False
        for tp, offset in offsets.items():
            self._fetched[tp.topic, tp.partition] = _Fetched(offset)
        return True

    async def _fetch(self) -> None:
        while True:
            assignment, wanted = self.engine.wanted()
            if not wanted:
                await asyncio.sleep(FETCH_SECONDS / 4)
                continue
            sizes = {(tp.topic, tp.partition): size for tp, size in wanted.items()}
            chunks = self._drain(sizes, assignment)
            if not chunks:
                await self._ask()
                chunks = self._drain(sizes, assignment)
            self.engine.note_ends(assignment, self._ends())
            for chunk in chunks:
                self.engine.queued(chunk)
            if chunks:
                await self._queue.put(chunks)

    async def _ask(self) -> None:
        """One fetch request of everything that is opened and used up."""
        fetched, chance = self._fetched, self._stage.chance
        asked = {place: state.position for place, state in fetched.items() if not state.records}
        if not any(self._broker.log(place).stable_end > position for place, position in asked.items()):
            await self._broker.news(asked, FETCH_SECONDS)

        def answer() -> list[tuple[Place, list[Record], int, int]]:
            out = []
            for place, position in asked.items():
                if chance.random() < 0.25:
                    continue  # an answer has room for some partitions only
                log = self._broker.log(place)
                records, end = log.read(position, chance.choice((1, 2, 5, 50)))
                out.append((place, records, end, log.stable_end))
            return out

        for place, records, end, stable in await self._stage.io(self.process, "fetch", answer):
            state = fetched[place]
            if state.position == asked[place]:
                state.records, state.end = records, end
                state.offset, state.seen, state.answered_ms = (
                    stable,
                    self._stage.loop.now,
                    self.process.now_ms(),
                )

    def _drain(self, wanted: dict[Place, int], assignment: int) -> list[Chunk]:
        chunks: list[Chunk] = []
        for place in self._stage.chance.sample(list(wanted), len(wanted)):
            state = self._fetched.get(place)
            if state is None or (state.position == state.end and not state.records):
                continue
            taken, state.records = state.records[: wanted[place]], state.records[wanted[place] :]
            begin, state.position = state.position, taken[-1].offset + 1 if state.records else state.end
            topic = self._options.topics.short(place[0])
            chunks.append(
                Chunk(topic, place[1], begin, state.position, taken, assignment, self.process.now_ms())
            )
            if len(chunks) == CHUNKS_A_CALL:
                break
        return chunks

    def _ends(self) -> dict[TopicPartition, End]:
        return {
            TopicPartition(*place): End(state.offset, state.seen, state.answered_ms)
            for place, state in self._fetched.items()
            if state.offset is not None
        }

    # --- processing ---------------------------------------------------------------------------------------------

    async def _process(self) -> None:
        while True:
            for chunk in await self._queue.get():
                if self._stage.trace is not None:
                    self._stage.note(
                        f"{self.process.name}: takes {chunk.topic}/{chunk.partition} {chunk.begin} to {chunk.end}"
                    )
                await self.engine.take(chunk)
                await asyncio.sleep(0)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._options.tick_seconds)
            await self.engine.tick()
