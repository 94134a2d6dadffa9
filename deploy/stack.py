"""The whole pipeline on this machine as one: broker, ClickHouse, topics, schema, workers, sink, lag probe, API.

    async with Supervisor() as supervisor:
        stack = Stack(data, workers=2)
        await stack.start(supervisor)     # returns when all of it is ready
        await supervisor.watch()

The one place that composes these services: `up`, `demo`, tests and benches start them through it. The workers, the sink
and the probe are the same commands that a production install runs, with settings by environment.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from deploy.local import ports as local_ports
from deploy.local.jars import KAFKA_VERSION
from deploy.local.java import find_java
from deploy.local.kafka import KafkaBroker
from deploy.local.service import Comeback, Service
from deploy.local.supervisor import Supervisor
from deploy.prepare import (
    StackError,
    answers_ok,
    make_schema,
    make_topics,
    stores_file_of,
    write_default_stores,
)
from streams.settings import Settings, load_rates, load_settings, load_stores

READY_SECONDS: Final = 60.0
# A worker that finds a broken epoch of its predecessor waits until the broker has given up on it (10 s).
WORKER_READY_SECONDS: Final = 90.0
STOP_SECONDS: Final = 12.0  # the engine has 8 s for its last commit, the sink 10 s for its last insert

Say = Callable[[str, str], None]
"""(step, what goes on in it): for long work, such as fetching jars."""
Done = Callable[[str, str, float], None]
"""(step, what came of it, seconds)."""


def _quiet(*_: object) -> None:
    """For callers that show nothing."""


@dataclass(frozen=True)
class Ports:
    """Where each part listens on loopback; `worker` is the first worker's, the others follow."""

    kafka: int = 9092
    controller: int = 9093
    clickhouse: int = 8123
    reader: int = 8124
    worker: int = 9110
    sink: int = 9101
    probe: int = 9102
    api: int = 8080

    @classmethod
    def free(cls, workers: int = 1) -> "Ports":
        """Ports that nothing listens on now."""
        one = local_ports.free_port
        first = one()
        # The workers' ports follow each other, so all of them must be free.
        while any(local_ports.is_busy(first + number) for number in range(workers)):
            first = one()
        return cls(one(), one(), one(), one(), first, one(), one(), one())


@dataclass(frozen=True)
class Urls:
    """Where a running stack can be reached; what `DataLock.publish` keeps for the other commands."""

    kafka: str
    clickhouse: str
    reader: str
    metrics: Mapping[str, str] = field(default_factory=dict)
    api: str = ""
    """Empty: it was not asked for."""

    def published(self) -> dict[str, str]:
        """As the holder file has them: name -> address."""
        return {
            "kafka": self.kafka,
            "clickhouse": self.clickhouse,
            "sql": self.reader,
            **({"api": self.api} if self.api else {}),
            **{f"{name} metrics": url for name, url in self.metrics.items()},
        }


class Stack:
    """One local stack below `data`. Nothing is touched before `start`."""

    def __init__(
        self,
        data: Path,
        *,
        workers: int = 1,
        ports: Ports | None = None,
        env: Mapping[str, str] | None = None,
        sink: bool = True,
        probe: bool = True,
        api: bool = False,
    ) -> None:
        """`env`: settings for the children, beside those of the stack itself. SettingsError if any is wrong."""
        self.data: Final = data.absolute()
        self.workers: Final = workers
        self.ports: Final = ports or Ports()
        self._env: Final = dict(env or {})
        self._sink, self._probe, self._api = sink, probe, api
        self.broker: Final = KafkaBroker.on(
            self.data, port=self.ports.kafka, controller_port=self.ports.controller
        )
        host = f"http://{local_ports.LOOPBACK}"
        metrics = {
            f"worker-{number}": f"{host}:{self.ports.worker + number}/metrics" for number in range(workers)
        }
        if sink:
            metrics["sink"] = f"{host}:{self.ports.sink}/metrics"
        if probe:
            metrics["probe"] = f"{host}:{self.ports.probe}/metrics"
        self.urls: Final = Urls(
            kafka=self.broker.bootstrap,
            clickhouse=f"{host}:{self.ports.clickhouse}",
            reader=f"{host}:{self.ports.reader}",
            metrics=metrics,
            api=f"{host}:{self.ports.api}" if api else "",
        )
        self.settings: Final = self._settings()

    # ── starting ────────────────────────────────────────────────────────────────────────────────────────────

    async def start(self, supervisor: Supervisor, *, say: Say = _quiet, done: Done = _quiet) -> None:
        """Start everything and return when all is ready: `start_servers`, then `start_processes`."""
        await self.start_servers(supervisor, say=say, done=done)
        await self.start_processes(supervisor, done=done)

    async def start_servers(self, supervisor: Supervisor, *, say: Say = _quiet, done: Done = _quiet) -> None:
        """Kafka with its topics and ClickHouse with its schema, side by side.

        Raises LocalStackError, StoresError, TopicsError, MigrationFailed.
        """
        self._require_ports()
        write_default_stores(self.settings)
        stores = load_stores(self.settings)
        load_rates(self.settings, stores)  # else it is a worker that ends, and comes back, and ends
        await _together(self._kafka(supervisor, say, done), self._clickhouse(supervisor, stores, done))

    async def start_processes(self, supervisor: Supervisor, *, done: Done = _quiet) -> None:
        """Workers, sink, probe and API, on servers that are up. Raises LocalStackError."""
        parts = [self._started(supervisor, service, step, done) for step, service in self._processes()]
        await _together(*parts)

    async def _kafka(self, supervisor: Supervisor, say: Say, done: Done) -> None:
        clock = time.monotonic()
        java = await asyncio.to_thread(find_java)
        done("Java", f"{java.feature} ({java.origin})", time.monotonic() - clock)
        clock = time.monotonic()
        await supervisor.start(await self.broker.prepared(lambda text: say("Kafka", text)))
        done("Kafka", f"{KAFKA_VERSION} on {self.broker.bootstrap}", time.monotonic() - clock)
        clock = time.monotonic()
        detail = await make_topics(self.settings)
        done("Topics", detail, time.monotonic() - clock)

    async def _clickhouse(self, supervisor: Supervisor, stores: Mapping[str, Any], done: Done) -> None:
        clock = time.monotonic()
        await supervisor.start(self._clickhouse_service())
        done("ClickHouse", f"embedded engine on {self.urls.clickhouse}", time.monotonic() - clock)
        clock = time.monotonic()
        done("Schema", await asyncio.to_thread(make_schema, self.settings, stores), time.monotonic() - clock)

    async def _started(self, supervisor: Supervisor, service: Service, step: str, done: Done) -> None:
        clock = time.monotonic()
        await supervisor.start(service)
        address = self.urls.api if service.name == "api" else self.urls.metrics[service.name]
        done(step, address, time.monotonic() - clock)

    def _require_ports(self) -> None:
        """Look at all ports before anything starts: the last one busy would take down what just came up."""
        wanted = [
            (self.ports.clickhouse, "ClickHouse", "--clickhouse-port"),
            (self.ports.reader, "ClickHouse's read-only side", "--reader-port"),
            *((self.ports.worker + n, f"worker {n}", "--worker-port") for n in range(self.workers)),
        ]
        if self._sink:
            wanted.append((self.ports.sink, "the sink", "--sink-port"))
        if self._probe:
            wanted.append((self.ports.probe, "the lag probe", "--probe-port"))
        if self._api:
            wanted.append((self.ports.api, "the API", "--api-port"))
        wanted.append((self.ports.kafka, "Kafka", "--kafka-port"))
        wanted.append((self.ports.controller, "Kafka's controller", "--controller-port"))
        for port, purpose, option in wanted:
            local_ports.require_free(port, purpose=purpose, option=f"{option} or --free-ports")

    # ── the services ────────────────────────────────────────────────────────────────────────────────────────

    def _processes(self) -> list[tuple[str, Service]]:
        """What reads and writes Kafka, in the order in which it is told."""
        found = [(f"Worker {number}", self.worker(number)) for number in range(self.workers)]
        if self._sink:
            found.append(("Sink", self.sink()))
        if self._probe:
            found.append(("Probe", self.probe()))
        if self._api:
            found.append(("API", self.api()))
        return found

    def worker(self, number: int) -> Service:
        """Worker `number`, under the membership slot of that name."""
        port = self.ports.worker + number
        return self._command(
            f"worker-{number}",
            ("worker",),
            port,
            {"SHOPMETER_WORKER__INSTANCE": str(number), "SHOPMETER_WORKER__HTTP_PORT": str(port)},
            ready_seconds=WORKER_READY_SECONDS,
        )

    def sink(self) -> Service:
        """The sink."""
        port = self.ports.sink
        return self._command("sink", ("sink",), port, {"SHOPMETER_SINK__HTTP_PORT": str(port)})

    def probe(self) -> Service:
        """The lag probe."""
        return self._command("probe", ("probe", "--port", str(self.ports.probe)), self.ports.probe, {})

    def api(self) -> Service:
        """The HTTP API, on ClickHouse's read-only side."""
        port = self.ports.api
        env = {"SHOPMETER_CLICKHOUSE__URL": self.urls.reader}
        return self._command("api", ("serve", "--port", str(port)), port, env, ready_path="/healthz")

    def environment(self) -> dict[str, str]:
        """The settings that let any command work with this stack."""
        return {
            **self._env,
            "SHOPMETER_KAFKA__BOOTSTRAP": self.urls.kafka,
            "SHOPMETER_CLICKHOUSE__URL": self.urls.clickhouse,
            "SHOPMETER_DATA_DIR": str(self.data),
            "SHOPMETER_STORES_FILE": str(self.settings.stores_file),
            # Lines of a log are wanted when they happen, not when a buffer is full.
            "PYTHONUNBUFFERED": "1",
        }

    def _command(
        self,
        name: str,
        arguments: tuple[str, ...],
        port: int,
        env: Mapping[str, str],
        *,
        ready_seconds: float = READY_SECONDS,
        ready_path: str = "/ready",
    ) -> Service:
        async def ready() -> bool:
            return await answers_ok(port, ready_path)

        return Service(
            name=name,
            argv=(sys.executable, "-m", "deploy.cli", *arguments),
            log=self.data / "logs" / f"{name}.log",
            env={**self.environment(), **env},
            ready=ready,
            ready_seconds=ready_seconds,
            stop_seconds=STOP_SECONDS,
            # A worker ends itself when Kafka does not answer for eight seconds, and starts from what is committed.
            comeback=Comeback(),
        )

    def _clickhouse_service(self) -> Service:
        async def ready() -> bool:
            return await answers_ok(self.ports.clickhouse, "/ping")

        ports = ("--port", str(self.ports.clickhouse), "--reader-port", str(self.ports.reader))
        return Service(
            name="clickhouse",
            argv=(
                *(sys.executable, "-m", "deploy.local.clickhouse"),
                *("--data", str(self.data / "clickhouse"), *ports),
            ),
            log=self.data / "logs" / "clickhouse.log",
            ready=ready,
            ready_seconds=READY_SECONDS,
        )

    def _settings(self) -> Settings:
        given = load_settings()
        plain = Settings.model_fields
        for name, value, ours, default in (
            ("kafka.bootstrap", given.kafka.bootstrap, self.urls.kafka, plain["kafka"].default.bootstrap),
            ("clickhouse.url", given.clickhouse.url, self.urls.clickhouse, plain["clickhouse"].default.url),
        ):
            # Whoever named a server wants its data there, and would look for it in vain.
            if value not in (ours, default):
                raise StackError(
                    f"the settings name {name} {value}, but the local stack brings its own; unset it, or run "
                    "`shopmeter worker` and `shopmeter sink` with what you have"
                )
        stores_file = stores_file_of(given, self.data)
        return load_settings(
            kafka={"bootstrap": self.urls.kafka},
            clickhouse={"url": self.urls.clickhouse},
            data_dir=self.data,
            stores_file=stores_file,
            rates_file=given.rates_file and given.rates_file.absolute(),
        )


async def _together(*works: Awaitable[None]) -> None:
    """All side by side; the first failure ends the others and is raised as itself, not as one of a group."""

    async def one(work: Awaitable[None]) -> None:
        await work

    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(one(work))
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
