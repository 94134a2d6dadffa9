"""A sink's process: the real `SinkProcess` and `RowsReader`, on a stand-in of aiokafka's group consumer."""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from schemas.epoch import Record
from sinks.telemetry import NoTelemetry
from streams.settings import Settings
from streams.sink import SinkProcess
from tests.simulation.clients import SimReader, injected
from tests.simulation.group import Group
from tests.simulation.house import HouseSink
from tests.simulation.stage import Process, Stage

CALL_SECONDS = 0.0005


class SimConsumer(SimReader):
    """An AIOKafkaConsumer: with a group, a member of the sinks' group; without, only asked for ends."""

    group: Group

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._group_id: str | None = options.get("group_id")
        self.process = self._process
        self.slot = str(options.get("group_instance_id"))
        self._topics: list[str] = []
        self._listener: Any = None
        self._assigned: dict[TopicPartition, int | None] = {}
        self._assignments = 0
        self._is_member = False
        self._ready = asyncio.Event()

    def subscribe(self, topics: list[str], *, listener: Any) -> None:
        """Local."""
        self._topics, self._listener = topics, listener

    async def start(self) -> None:
        """Join the group, and return with a share."""
        await super().start()
        if self._group_id is not None:
            self.group.join(self)
            await self._ready.wait()

    async def stop(self) -> None:
        """A static member does not leave; its slot waits for its restart, or for the session's end."""

    # --- what the group asks ------------------------------------------------------------------------------------

    async def revoke(self) -> None:
        """See Member."""
        # Until the next share is known, aiokafka goes on with this one: records, positions, and commits too.
        self._listener.on_partitions_revoked(list(self._assigned))
        if not self.group.holds(self):
            self._is_member = False
            self.group.join(self)  # as aiokafka does: under a new member id

    def assign(self, partitions: list[int]) -> None:
        """See Member."""
        self._assignments += 1
        self._is_member = True
        self._assigned = {
            TopicPartition(topic, partition): None for topic in self._topics for partition in partitions
        }
        self._listener.on_partitions_assigned(list(self._assigned))
        self._ready.set()
        self.process.spawn(self._find_positions(self._assignments))

    async def _find_positions(self, assignment: int) -> None:
        def ask() -> dict[TopicPartition, int]:
            committed, group = self.broker.committed, self.group.name
            return {tp: committed.get((group, (tp.topic, tp.partition)), 0) for tp in self._assigned}

        found = await self._stage.io(self.process, "sink asks what is committed", ask)
        if self._assignments == assignment:
            self._assigned.update((tp, found[tp]) for tp in self._assigned)

    # --- what the reader asks -----------------------------------------------------------------------------------

    def assignment(self) -> set[TopicPartition]:
        """What it has."""
        return set(self._assigned)

    async def position(self, tp: TopicPartition) -> int:
        """Waits until it is known."""
        while True:
            if tp not in self._assigned:
                raise IllegalStateError(f"Partition {tp} is not assigned")
            position = self._assigned[tp]
            if position is not None:
                return position
            await asyncio.sleep(0.01)

    async def getmany(  # type: ignore[override]
        self, *, timeout_ms: int, max_records: int
    ) -> Mapping[TopicPartition, list[Record]]:
        """Records of some partitions, or none after the time."""
        self.process.check()
        logs = self.broker.logs
        places = {(tp.topic, tp.partition): position for tp, position in self._assigned.items()}
        if not any(
            position is not None and place in logs and logs[place].stable_end > position
            for place, position in places.items()
        ):
            # Even a call that does not wait takes a moment: else a loop that polls would stop the virtual clock.
            await self.broker.news(places, max(timeout_ms / 1000, CALL_SECONDS))
            return {}
        assignment, asked = self._assignments, dict(self._assigned)
        chance = self._stage.chance

        def answer() -> dict[TopicPartition, tuple[list[Record], int]]:
            out = {}
            for tp, position in asked.items():
                if position is not None and chance.random() < 0.7:
                    limit = min(max_records, chance.choice((1, 4, 100)))
                    out[tp] = self.broker.log((tp.topic, tp.partition)).read(position, limit)
            return out

        answers = await self._stage.io(self.process, "sink fetches", answer)
        fetched = {}
        if assignment == self._assignments:
            for tp, (records, end) in answers.items():
                self._assigned[tp] = end
                if records:
                    fetched[tp] = records
        return fetched

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Only a member of this generation may."""
        assignment, share = self._assignments, frozenset(self._assigned)
        if not share >= offsets.keys():
            raise IllegalStateError("No partitions assigned")

        def commit() -> None:
            # The coordinator takes commits of the last generation until the next one has begun.
            if not self.group.holds(self) or not self._is_member or assignment != self._assignments:
                raise CommitFailedError("the group has another generation by now")
            for tp, offset in offsets.items():
                self.on_commit((tp.topic, tp.partition), offset)
                self.broker.committed[self.group.name, (tp.topic, tp.partition)] = offset

        await self._stage.io(self.process, "sink commits", commit, error=injected)

    on_commit: Any = staticmethod(lambda place, offset: None)


class SinkLife:
    """One life of one sink slot."""

    def __init__(self, stage: Stage, process: Process, settings: Settings, sink: HouseSink) -> None:
        self.process = process
        self._stage = stage
        self._settings = settings
        self._sink = sink
        self._stop = asyncio.Event()

    def start(self) -> None:
        """Begin to work; ends with the process."""
        self.process.spawn(self._main())

    async def stop(self) -> None:
        """SIGTERM."""
        self._stage.note(f"{self.process.name} is told to stop")
        self._stop.set()

    async def _main(self) -> None:
        try:
            await SinkProcess(self._settings, self._sink, NoTelemetry(), self._stop).run()
        except Exception as error:
            if self.process.alive:
                self._stage.find(f"{self.process.name} ends itself: {error!r}")
        self.process.kill("stopped")
