"""The real parts of one run: a broker, a ClickHouse endpoint, and peers as services beside them, all below one directory.

Everything ends with the block. Peers come one after the other, each in a process of its own.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from bench import accounts
from bench.peer import PeerResult
from bench.tasks import ProcessTask
from bench.usage import Usage, usage
from deploy.local import ports, process
from deploy.local.errors import LocalStackError
from deploy.local.kafka import KafkaBroker
from deploy.local.service import ReadyCheck, Service
from deploy.local.supervisor import Supervisor
from schemas.stores import Store
from sinks.clickhouse import Address
from sinks.migrate import migrate
from streams.settings import ClickHouseSettings, KafkaSettings, Settings
from streams.topics import create_topics

Say = Callable[[str], None]
READY_SECONDS = 180.0  # a cold restore of a large state is within it


class PeerFailed(RuntimeError):
    """A peer did not end as it should. The message has the end of its log."""


class Stack:
    """What the measures work with. Made by `running`."""

    def __init__(
        self, directory: Path, supervisor: Supervisor, broker: KafkaBroker, url: str, say: Say
    ) -> None:
        self.directory = directory
        self.supervisor = supervisor
        self.bootstrap = broker.bootstrap
        self.url = url
        self.say = say
        self._number = 0

    def settings(
        self, application: str, *, prefix: str, partitions: int, database: str = "bench"
    ) -> Settings:
        """An installation of its own for a run; everything else as a user has it by default."""
        return Settings(
            application=application,
            topic_prefix=prefix,
            partitions=partitions,
            data_dir=self.directory / application,
            stores_file=self.directory / "stores.toml",
            kafka=KafkaSettings(bootstrap=self.bootstrap),
            clickhouse=ClickHouseSettings(url=self.url, database=database),
        )

    async def make_topics(self, settings: Settings) -> None:
        """Whatever is missing."""
        await create_topics(settings)

    async def make_database(self, settings: Settings, stores: dict[str, Store]) -> None:
        """Tables, views and stores."""
        house = settings.clickhouse
        await asyncio.to_thread(migrate, Address(house.url, house.database), stores)

    def usage(self, service: str) -> Usage:
        """Of a running service since its start."""
        return usage(self.supervisor.pid(service))

    async def run_peer(self, name: str, task: Struct) -> PeerResult:
        """Run a peer to its end; PeerFailed if that is not a good one."""
        service, result = self.begin_peer_service(name, task)
        await self.supervisor.start(service)
        return await self.finish_peer(service, result)

    def begin_peer_service(self, name: str, task: Struct) -> tuple[Service, Path]:
        """The service of a peer, and where its result will be."""
        self._number += 1
        label = f"{name}-{self._number}"
        result = self.directory / f"{label}.json"
        return self._service(label, name, task, str(result)), result

    async def finish_peer(self, service: Service, result: Path) -> PeerResult:
        """Wait for the end of a peer that was started."""
        code = await self.supervisor.exited(service.name)
        await self.supervisor.stop_one(service.name)  # it has ended, and that was meant
        told = read_result(result)
        if code or told is None:
            raise PeerFailed(
                f"{service.name}: {process.describe_exit(code)}; the end of its log:\n{process.tail(service.log)}"
            )
        return told

    async def start_process(self, name: str, settings: Settings) -> tuple[str, Path]:
        """Start a worker or a sink and wait until it is ready; its service's name and the file of its account."""
        self._number += 1
        label = f"{name}-{self._number}"
        account = self.directory / f"{label}.account"

        async def ready() -> bool:
            return bool(accounts.moments(account, "ready"))

        task = ProcessTask(settings=settings.model_dump(mode="json"), account=str(account))
        await self.supervisor.start(self._service(label, name, task, ready=ready))
        return label, account

    async def stop_process(self, label: str, account: Path) -> dict[str, Any]:
        """Stop it in order; the sums it leaves."""
        await self.supervisor.stop_one(label)
        sums = accounts.moments(account, "sums")
        if not sums:
            raise PeerFailed(f"{label}: left no sums when it stopped")
        return sums[-1]

    def _service(
        self, label: str, name: str, task: Struct, *more: str, ready: ReadyCheck | None = None
    ) -> Service:
        argv = (sys.executable, "-m", f"bench.peers.{name}", msgspec.json.encode(task).decode(), *more)
        service = Service(
            name=label, argv=argv, log=self.directory / "logs" / f"{label}.log", stop_seconds=20.0
        )
        return service if ready is None else replace(service, ready=ready, ready_seconds=READY_SECONDS)


def read_result(path: Path) -> PeerResult | None:
    """What a peer has written; None if it has not."""
    return msgspec.json.decode(path.read_bytes(), type=PeerResult) if path.exists() else None


@asynccontextmanager
async def running(directory: Path, say: Say) -> AsyncIterator[Stack]:
    """Broker and endpoint on free ports, up and ready. LocalStackError if that cannot be."""
    broker = KafkaBroker.on(directory / "kafka", port=0)
    port = ports.free_port()
    url = f"http://{ports.LOOPBACK}:{port}"
    async with Supervisor(signals=True) as supervisor:
        say("starting the broker and the ClickHouse endpoint")
        await supervisor.start(await broker.prepared())
        argv = (
            sys.executable,
            "-m",
            "deploy.local.clickhouse",
            "--data",
            str(directory / "house"),
            "--port",
            str(port),
        )
        log = directory / "logs" / "clickhouse.log"
        await supervisor.start(Service(name="clickhouse", argv=argv, log=log, ready=lambda: _answers(url)))
        yield Stack(directory, supervisor, broker, url, say)
    if supervisor.ended_by is not None:
        raise LocalStackError(
            f"ended by {supervisor.ended_by.name}; nothing is left running, nothing was written"
        )


async def _answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as http, http.get(f"{url}/ping") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
