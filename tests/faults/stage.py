"""Where the cases play: a broker behind a proxy, ClickHouse behind a shim, installations on both."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from msgspec import Struct

from deploy.local import ports
from deploy.local.errors import LocalStackError
from deploy.local.kafka import KafkaBroker
from deploy.local.supervisor import Supervisor
from schemas.stores import Store
from tests.faults.memory import process_mb
from tests.faults.proxy import TcpProxy
from tests.faults.shim import ClickHouseShim
from tests.fixtures.clickhouse import ClickHouseEndpoint, running_endpoint
from tests.kafka.campaign.dossier import Dossier
from tests.kafka.campaign.report import Finding, Origin
from tests.kafka.pipeline_kit import Installation, installation

RATE = 1_000.0
# Of a case that is played shortly: the comparison afterwards takes as long as there are records.
SHORT_RATE = 300.0


class Outcome(Struct, kw_only=True):
    """What came of a case. `figures`: by name, in the unit that the name ends with."""

    times: int
    figures: dict[str, float]
    finding: Finding
    wrong: list[str] = []
    """What went otherwise than promised, apart from differences."""
    origin: Origin | None = None
    """None in a verdict on a kept directory, whose file says it beside, and in older files."""

    @classmethod
    def of(cls, dossier: Dossier, finding: Finding) -> Self:
        """Of what was written down when it was over, and what was found since."""
        return cls(times=dossier.times, figures=dossier.figures, finding=finding, wrong=dossier.wrong)

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
    replicas: int = 1
    rate: float = RATE
    """Records a second of a case that does not want another."""
    keep: bool = False
    """Leave topics and tables when it is over: a verdict may be given again."""

    @property
    def bootstrap(self) -> str:
        """Of the broker, through the proxy."""
        return f"127.0.0.1:{self.wire.port}"

    def installation(
        self, directory: Path, stores: Mapping[str, Store], *, partitions: int, env: Mapping[str, str]
    ) -> AbstractAsyncContextManager[Installation]:
        """One on these servers, within a block. `env`: settings of all its processes."""
        return installation(
            self.bootstrap,
            self.house.url,
            directory,
            stores,
            partitions=partitions,
            security=None,
            replicas=self.replicas,
            keep=self.keep,
            **env,
        )

    def signal_broker(self, number: int) -> None:
        """To the broker's process."""
        self.supervisor.kill("kafka", number)

    def broker_mb(self) -> float:
        """Resident memory of the broker, in MB; 0 while it does not run."""
        try:
            return process_mb(self.supervisor.pid("kafka"))
        except LocalStackError:
            return 0.0

    async def broker_returns(self) -> None:
        """Start the broker again after it has ended."""
        await self.supervisor.exited("kafka")
        await self.supervisor.restart("kafka")


@asynccontextmanager
async def open_stage(directory: Path, *, rate: float = RATE, keep: bool = False) -> AsyncIterator[Stage]:
    """Servers on free ports, on what lies in the directory; nothing of them runs afterwards."""
    with running_endpoint(directory / "house") as endpoint:
        port = ports.free_port()
        async with TcpProxy(port) as wire, ClickHouseShim(endpoint.url) as house, Supervisor() as supervisor:
            advertised = {"advertised.listeners": f"CLIENT://127.0.0.1:{wire.port}"}
            broker = KafkaBroker.on(directory / "kafka", port=port, properties=advertised)
            await supervisor.start(await asyncio.to_thread(broker.prepare))
            yield Stage(directory, supervisor, broker, wire, house, endpoint, rate=rate, keep=keep)
