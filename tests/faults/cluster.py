"""Three brokers, three replicas, two of which must have a record: each restarted in turn, then two of them away."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, replace

from deploy.local.kafka import KafkaBroker, new_cluster_id
from tests.faults.matrix import case
from tests.faults.play import Play, under_load
from tests.faults.stage import Outcome, Stage

NODES = (1, 2, 3)
HEAP_MB = 256
AWAY_SECONDS = 120.0
AWAY_SHORTLY_SECONDS = 20.0
SETTLE_SECONDS = 5.0
BACK_SECONDS = 30.0


@dataclass
class ClusterStage(Stage):
    """The brokers in place of the one; no proxy stands before them."""

    brokers: tuple[KafkaBroker, ...] = ()
    replicas: int = 3

    @property
    def bootstrap(self) -> str:
        """Of all of them."""
        return ",".join(broker.bootstrap for broker in self.brokers)

    async def ends(self, node: int, number: signal.Signals) -> None:
        """A signal to a node; returns when it has ended."""
        self.supervisor.kill(name_of(node), number)
        await self.supervisor.exited(name_of(node))

    async def returns(self, *nodes: int) -> None:
        """Start these again. Two of three are ready together or not at all: alone, neither has a controller."""
        await asyncio.gather(*(self.supervisor.restart(name_of(node)) for node in nodes))


def name_of(node: int) -> str:
    """Its service."""
    return f"kafka-{node}"


@asynccontextmanager
async def open_cluster(stage: Stage) -> AsyncIterator[ClusterStage]:
    """In place of the stage's broker, which is stopped."""
    await stage.supervisor.stop_one("kafka")
    alone = [
        KafkaBroker.on(stage.directory / name_of(node), port=0, node_id=node, heap_mb=HEAP_MB)
        for node in NODES
    ]
    voters = {broker.node_id: broker.controller for broker in alone}
    brokers = tuple(replace(broker, voters=voters) for broker in alone)
    cluster_id = new_cluster_id()
    services = [await asyncio.to_thread(broker.prepare, cluster_id=cluster_id) for broker in brokers]
    await asyncio.gather(*(stage.supervisor.start(service) for service in services))
    same = {field.name: getattr(stage, field.name) for field in fields(stage) if field.name != "replicas"}
    yield ClusterStage(**same, brokers=brokers)


@case(
    "F8-cluster each of three brokers restarts, then two are away", "works again <= 30 s after it",
    short=1, long=10,
)  # fmt: skip
async def cluster(stage: Stage, times: int) -> Outcome:
    away_s = AWAY_SHORTLY_SECONDS if times == 1 else AWAY_SECONDS

    async def fault(play: Play) -> None:
        assert isinstance(play.stage, ClusterStage)
        for number in range(times):
            how = (signal.SIGTERM, signal.SIGKILL)[number % 2]
            for node in NODES:
                await play.stage.ends(node, how)
                await play.pause(0.0, 3.0)
                await play.stage.returns(node)
                await play.works_again(time.monotonic())
            two = play.chance.sample(NODES, 2)
            for node in two:
                await play.stage.ends(node, signal.SIGKILL)
            gone = time.monotonic()
            await asyncio.sleep(away_s)
            last = max(map(play.moving.last, play.moving.partitions))
            play.expect(last < gone + SETTLE_SECONDS, "one broker of three took a commit alone")
            await play.stage.returns(*two)
            await play.works_again(time.monotonic())
        play.expect(max(play.back) <= BACK_SECONDS, f"once it took {max(play.back):.1f} s")

    async with open_cluster(stage) as three:
        return await under_load(three, times, fault, rate=500.0)
