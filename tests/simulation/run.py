"""One run: processes are started and started again, records come, things go wrong; then calm, and the verdict."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Final, NamedTuple
from unittest import mock

from processors.pipeline import make_factory
from schemas.topics import DEFINITION, INPUTS
from streams import rows_reader
from streams.engine import epochs, hearing, open_transactions, restore
from streams.settings import KafkaSettings, Settings, SinkSettings
from tests.oracle.records import RawRecord
from tests.oracle.wire import partition_of
from tests.simulation.clients import SimProducer, SimReader
from tests.simulation.clock import Standstill, VirtualLoop, virtual_time
from tests.simulation.disk import Disk
from tests.simulation.group import Group
from tests.simulation.house import House, HouseSink
from tests.simulation.log import Broker
from tests.simulation.plan import TOPICS, Plan, RandomFates
from tests.simulation.sinking import SimConsumer, SinkLife
from tests.simulation.stage import Fates, Process, Stage
from tests.simulation.verdict import judge
from tests.simulation.worker import Worker

LOOK_SECONDS: Final = 0.5
PATIENCE_SECONDS: Final = 300.0
STILL_SECONDS: Final = 1.0
WRONG_KEYS: Final = (b"", b"x", b"acme|nobody", None)


class Result(NamedTuple):
    """What a run was."""

    findings: list[str]
    steps: int
    faults: int
    lives: int
    """Processes that were started."""
    seconds: float
    """Virtual."""
    records: int
    trace: list[str]


@cache
def _sink_settings(partitions: int, instance: str, wait_ms: int, rows: int) -> Settings:
    sink = SinkSettings(instance=instance, batch_max_wait_ms=wait_ms, batch_max_rows=rows)
    return Settings(partitions=partitions, kafka=KafkaSettings(), sink=sink)


class World:
    """Everything of one run."""

    def __init__(self, stage: Stage, plan: Plan) -> None:
        self.stage, self.plan = stage, plan
        self.broker = Broker(stage)
        self.house = House(stage, self.broker, TOPICS)
        self.workers = Group(stage, "shopmeter", plan.partitions)
        self.sinks = Group(stage, "shopmeter-sink", plan.partitions)
        self.disks = [Disk() for _ in range(plan.workers)]
        self.factory = make_factory(plan.world.stores, rates=plan.world.rates, partitions=plan.partitions)
        self.living: dict[str, Worker | SinkLife] = {}
        self.appended: list[RawRecord] = []
        self.lives = 0
        self.is_calm = False
        self._settings = [
            _sink_settings(plan.partitions, str(slot), plan.batch_max_wait_ms, plan.batch_max_rows)
            for slot in range(plan.sinks)
        ]

    # --- processes ----------------------------------------------------------------------------------------------

    async def supervise(self, role: str, slot: int) -> None:
        """Start a process, and again whenever it has ended."""
        chance = self.stage.chance
        while True:
            name = f"{role}-{slot}"
            process = Process(self.stage, f"{name}.{self.lives}", chance.choice(self.plan.skews_ms))
            self.lives += 1
            life: Worker | SinkLife
            if role == "worker":
                options = self.plan.engine_options(str(slot))
                life = Worker(
                    self.stage,
                    self.broker,
                    self.workers,
                    process,
                    options=options,
                    factory=self.factory,
                    disk=self.disks[slot],
                )
            else:
                sink = HouseSink(self.stage, process, self.house)
                life = SinkLife(self.stage, process, self._settings[slot], sink)
            self.living[name] = life
            self.stage.note(f"{process.name} starts")
            life.start()
            await process.ended
            if role == "worker" and chance.random() < 0.3:
                self.disks[slot].lose_power(chance.choice((0.0, chance.random())))
            await asyncio.sleep(0.2 if self.is_calm else chance.choice((0.1, 1.0, chance.uniform(0.0, 25.0))))

    # --- records ------------------------------------------------------------------------------------------------

    async def produce(self) -> None:
        """The world's records, in their order of arrival, some of them twice and some under a wrong key."""
        chance, plan = self.stage.chance, self.plan
        records = plan.world.records
        pause = plan.spread_s / len(records) if records else 0.0
        for record in records:
            if chance.random() < 0.5:
                await asyncio.sleep(chance.uniform(0.0, 4 * pause))
            # (A definition under a wrong key is a dead letter, not misrouted.)
            if record.topic != DEFINITION and chance.random() < plan.misrouted:
                record = record._replace(key=chance.choice(WRONG_KEYS))
            for _ in range(2 if chance.random() < 0.05 else 1):
                self._append(record)

    def _append(self, record: RawRecord) -> None:
        partition = (
            self.stage.chance.randrange(self.plan.partitions)
            if record.key is None
            else partition_of(record.key, self.plan.partitions)
        )
        sent = (record.timestamp, record.key, record.value, ())
        offset = self.broker.append((TOPICS.source(record.topic), partition), [sent])
        self.appended.append(record._replace(partition=partition, offset=offset))
        self.stage.note(f"{record.topic}/{partition}/{offset} is produced")

    # --- disturbances -------------------------------------------------------------------------------------------

    async def disturb(self) -> None:
        """From outside: kills, orderly stops, evictions, rebalances, pauses, compaction."""
        chance = self.stage.chance
        while self.plan.disturbances:
            await asyncio.sleep(chance.expovariate(1 / self.plan.disturbances))
            life = chance.choice(list(self.living.values()))
            group = self.workers if isinstance(life, Worker) else self.sinks
            self.stage.faults += 1
            match chance.randrange(6):
                case 0:
                    life.process.kill("killed")
                case 1 if life.process.alive:
                    life.process.spawn(life.stop())
                case 2:
                    for member in list(group.members.values()):
                        if member.process is life.process and member.process.alive:
                            if chance.random() < 0.5:
                                member.process.paused_until = self.stage.loop.now + chance.uniform(0.0, 7.0)
                            group.evict(member)
                case 3:
                    group.rebalance()
                case 4:
                    life.process.paused_until = self.stage.loop.now + chance.uniform(0.0, 7.0)
                    self.stage.note(f"{life.process.name} pauses")
                case _:
                    self._compact()

    def _compact(self) -> None:
        self.stage.note("compaction")
        for place in self.broker.logs:
            if place[0] in (TOPICS.changelog, TOPICS.progress):
                self.broker.compact(place)
            elif place[0] == TOPICS.rows:
                # Only what the sinks are through with. Of a sink that is behind, compaction can take the row that a
                # watermark speaks of for a later one, and the watermark is visible a moment before that is.
                self.broker.compact(place, self.broker.committed.get((self.sinks.name, place), 0))

    # --- the end ------------------------------------------------------------------------------------------------

    def waits_for(self) -> str:
        """What is not done yet; empty when everything that came is committed and visible."""
        if len(self.appended) < len(self.plan.world.records):
            return "records"
        for topic in INPUTS:
            for partition in range(self.plan.partitions):
                place = (TOPICS.source(topic), partition)
                done = self.broker.committed.get(("shopmeter", place), 0)
                log = self.broker.log(place)
                if log.open or log.committed(done):
                    return f"{topic}/{partition} behind {done}"
        return self.house.hidden(self.plan.partitions)

    async def play(self) -> None:
        """Everything until it is calm and done, or something was found."""
        stage, plan = self.stage, self.plan
        for role, count in (("worker", plan.workers), ("sink", plan.sinks)):
            for slot in range(count):
                stage.background(self.supervise(role, slot))
        disturbing = stage.background(self.disturb())
        producing = stage.background(self.produce())
        until = plan.spread_s * 1.5 + 5.0
        while stage.loop.now < until and not stage.findings:
            if producing.done() and not plan.fault_rate and not plan.disturbances:
                break
            await asyncio.sleep(LOOK_SECONDS)
        disturbing.cancel()
        self.is_calm = True
        if isinstance(stage.fates, RandomFates):
            stage.fates.rate = 0.0
        await producing
        stage.note("calm")
        deadline, still = stage.loop.now + PATIENCE_SECONDS, 0.0
        while still < STILL_SECONDS and not stage.findings:
            await asyncio.sleep(LOOK_SECONDS)
            waits = self.waits_for()
            still = 0.0 if waits else still + LOOK_SECONDS
            if stage.loop.now > deadline:
                stage.find(f"not done {PATIENCE_SECONDS:.0f} s after the last fault; waits for {waits}")


@contextmanager
def _stand_ins(world: World) -> Iterator[None]:
    """Within: the product's modules make our clients."""
    clients = {"broker": world.broker}
    producer = type("Producer", (SimProducer,), clients)
    reader = type("Reader", (SimReader,), clients)
    consumer = type(
        "Consumer",
        (SimConsumer,),
        {**clients, "group": world.sinks, "on_commit": staticmethod(world.house.judge_commit)},
    )
    with ExitStack() as patches:
        for module, name, stand_in in (
            (epochs, "AIOKafkaProducer", producer),
            (open_transactions, "AIOKafkaConsumer", reader),
            (restore, "AIOKafkaConsumer", reader),
            (hearing, "AIOKafkaConsumer", reader),
            (rows_reader, "AIOKafkaConsumer", consumer),
        ):
            patches.enter_context(mock.patch.object(module, name, stand_in))
        yield


def run(seed: int, plan: Plan, fates: Fates | None = None, *, tracing: bool = False) -> Result:
    """Play a plan. `fates`: instead of the plan's own random ones. The same arguments give the same run."""
    before = random.getstate()
    random.seed(seed)  # the sinks' jitter
    loop = VirtualLoop()
    stage = Stage(loop, seed, fates or RandomFates(random.Random(seed + 1), plan.fault_rate))
    stage.trace = [] if tracing else None
    asyncio.set_event_loop(loop)
    try:
        with virtual_time(loop):
            world = loop.run_until_complete(_play(stage, plan))
    finally:
        random.setstate(before)
        _close(loop)
    if not stage.findings:
        judge(world.appended, plan, world.broker, world.house, stage)
    return Result(
        stage.findings,
        stage.steps,
        stage.faults,
        world.lives,
        loop.now,
        len(world.appended),
        stage.trace or [],
    )


async def _play(stage: Stage, plan: Plan) -> World:
    world = World(stage, plan)
    with _stand_ins(world):
        try:
            await world.play()
        except Standstill as error:
            stage.find(str(error))
        for life in world.living.values():
            life.process.kill("the end")
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
    return world


def _close(loop: VirtualLoop) -> None:
    asyncio.set_event_loop(None)
    loop.close()
