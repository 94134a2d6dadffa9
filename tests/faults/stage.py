"""Where the cases play: broker behind a proxy, ClickHouse behind a shim, an installation under load, the oracle."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from msgspec import Struct

from deploy.local import ports
from deploy.local.kafka import KafkaBroker
from deploy.local.supervisor import Supervisor
from tests.faults.proxy import TcpProxy
from tests.faults.shim import ClickHouseShim
from tests.fixtures.clickhouse import ClickHouseEndpoint, running_endpoint
from tests.kafka.campaign.kills import spread
from tests.kafka.campaign.load import Load
from tests.kafka.campaign.members import Member
from tests.kafka.campaign.moving import Moving
from tests.kafka.campaign.report import Finding
from tests.kafka.campaign.shops import DAY_SECONDS, large_history
from tests.kafka.pipeline_kit import PARTITIONS, Installation, installation

RATE = 1_000.0
# Seconds of event time in a second: what a fault holds up for a minute stays within the allowed lateness.
LIFE = 300.0
LONGEST_SECONDS = 3 * 3_600


class Outcome(Struct, kw_only=True):
    """What came of a case. `figures`: by name, in the unit that the name ends with."""

    times: int
    figures: dict[str, float]
    finding: Finding
    wrong: list[str] = []
    """What went otherwise than promised, apart from differences."""

    @property
    def is_right(self) -> bool:
        """Exact, and all as promised."""
        return self.finding.is_exact and not self.wrong


@dataclass
class Stage:
    """The servers of one case, empty."""

    directory: Path
    supervisor: Supervisor
    broker: KafkaBroker
    wire: TcpProxy
    house: ClickHouseShim
    endpoint: ClickHouseEndpoint

    @property
    def bootstrap(self) -> str:
        """Of the broker, through the proxy."""
        return f"127.0.0.1:{self.wire.port}"

    def signal_broker(self, number: int) -> None:
        """To the broker's process."""
        self.supervisor.kill("kafka", number)

    async def broker_returns(self) -> None:
        """Start the broker again after it has ended."""
        await self.supervisor.exited("kafka")
        await self.supervisor.restart("kafka")


@asynccontextmanager
async def open_stage(directory: Path) -> AsyncIterator[Stage]:
    """Servers on free ports; nothing of them runs afterwards."""
    with running_endpoint(directory / "house") as endpoint:
        port = ports.free_port()
        async with TcpProxy(port) as wire, ClickHouseShim(endpoint.url) as house, Supervisor() as supervisor:
            advertised = {"advertised.listeners": f"CLIENT://127.0.0.1:{wire.port}"}
            broker = KafkaBroker.on(directory / "kafka", port=port, properties=advertised)
            await supervisor.start(await asyncio.to_thread(broker.prepare))
            yield Stage(directory, supervisor, broker, wire, house, endpoint)


@dataclass
class Play:
    """An installation that works while records come. `back`: seconds, from each fault, until all worked again."""

    stage: Stage
    shop: Installation
    load: Load
    moving: Moving
    chance: random.Random
    times: int
    workers: list[Member]
    sink: Member
    back: list[float] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    @property
    def worker(self) -> Member:
        """The first."""
        return self.workers[0]

    async def pause(self, least: float, most: float) -> None:
        """A random time, so that faults meet random moments."""
        await asyncio.sleep(self.chance.uniform(least, most))

    async def works_again(self, since: float, *, seconds: float = 120.0) -> None:
        """Wait until every partition has committed later than `since` (monotonic), and note how long it took."""
        self.back.append(await self.moving.all_after(since, seconds=seconds) - since)

    async def dies(self, member: Member, before: int, *, seconds: float = 60.0) -> int:
        """Wait until the member has ended more than `before` times; the code of its last end. TimeoutError."""
        async with asyncio.timeout(seconds):
            while len(member.exits) <= before:
                await asyncio.sleep(0.02)
        return member.exits[-1]

    def expect(self, is_so: bool, otherwise: str) -> None:
        """Note what is not as promised; the case goes on."""
        if not is_so:
            self.wrong.append(otherwise)

    def outcome(self, finding: Finding) -> Outcome:
        """All of it."""
        seconds = spread(self.back)
        figures = (
            {f"back_{name}_s": value for name, value in seconds.items() if name != "n"} if self.back else {}
        )
        return Outcome(
            times=self.times, figures={**figures, **self.figures}, finding=finding, wrong=self.wrong
        )


Fault = Callable[[Play], Awaitable[None]]


async def under_load(
    stage: Stage,
    times: int,
    fault: Fault,
    *,
    seed: int = 1,
    rate: float = RATE,
    workers: int = 1,
    partitions: int = PARTITIONS,
    env: Mapping[str, str] | None = None,
) -> Outcome:
    """Do `fault` to an installation at work, then let it finish and compare all of it with the oracle."""
    events = int(rate * LONGEST_SECONDS)
    history = large_history(events, people=4_000, days=LONGEST_SECONDS * LIFE / DAY_SECONDS, seed=seed)
    stores = history.scenario.settings()
    directory = stage.directory / "shop"
    async with installation(
        stage.bootstrap,
        stage.house.url,
        directory,
        stores,
        partitions=partitions,
        security=None,
        **(env or {}),
    ) as shop:
        crew = [await shop.worker(str(number)) for number in range(workers)]
        sink = await shop.sink()
        load, over = shop.load(history.records), asyncio.Event()
        began = time.monotonic()
        loading = asyncio.create_task(load.run(rate=rate, enough=over.is_set))
        async with Moving(shop.settings) as moving:
            await moving.all_after(began)
            await sink.works()
            play = Play(stage, shop, load, moving, random.Random(seed), times, crew, sink)
            await fault(play)
            if loading.done():
                loading.result()
                play.wrong.append("the records were over before the faults")
        over.set()
        await loading
        return play.outcome(await Finding.of(shop, sent=load.sent, seconds=time.monotonic() - began))


def resident_mb(members: Iterable[Member]) -> float:
    """Resident memory of the members' processes together, in MB; what has just ended counts nothing."""
    total = 0
    for member in members:
        try:
            root = psutil.Process(member.process.pid)
            total += sum(one.memory_info().rss for one in (root, *root.children(recursive=True)))
        except psutil.NoSuchProcess:
            continue
    return round(total / 1_048_576, 1)
