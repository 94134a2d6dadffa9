"""`/metrics`, `/live` and `/ready` of one process, and the file that says on which port.

An orchestrator restarts what is not live and waits for what is not ready. Live means only that the event loop answers:
a process that waits for ClickHouse is alive, and a restart would not help it.
"""

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler
from mode import Service
from prometheus_client import CollectorRegistry
from prometheus_client.aiohttp import make_aiohttp_handler

from streams.directories import make_private
from streams.settings import Settings
from streams.signals import Readiness

RUN_DIRECTORY: Final = "run"
SHUTDOWN_SECONDS: Final = 1.0


class HealthError(RuntimeError):
    """The server can't listen. Says where, why, and which setting to change."""


class Told(Protocol):
    """What is served; `streams.signals.Signals` is one."""

    @property
    def registry(self) -> CollectorRegistry: ...
    @property
    def readiness(self) -> Readiness: ...


class Endpoint(msgspec.Struct, frozen=True):
    """Where a running process listens; the content of `<data_dir>/run/<role>-<instance>.json`."""

    role: str
    instance: str
    pid: int
    host: str
    port: int

    @property
    def url(self) -> str:
        """`http://host:port`, an IPv6 address in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def run_file(data_dir: Path, role: str, instance: str) -> Path:
    """Where the endpoint of this role and instance is written."""
    return data_dir / RUN_DIRECTORY / f"{role}-{instance}.json"


def read_endpoint(data_dir: Path, role: str, instance: str = "0") -> Endpoint | None:
    """The endpoint of a process that runs, None when none does: a killed one leaves its file behind.

    Its pid may be another process's by now. That is borne here: no command decides anything by this file.
    """
    try:
        endpoint = msgspec.json.decode(run_file(data_dir, role, instance).read_bytes(), type=Endpoint)
        os.kill(endpoint.pid, 0)
    except PermissionError:  # it runs, as another user
        return endpoint
    except (FileNotFoundError, ProcessLookupError):
        return None
    return endpoint


class HealthServer:
    """Serves one process's telemetry from its own event loop. `async with`, or `start` and `stop`."""

    def __init__(
        self, told: Told, *, role: str, instance: str, data_dir: Path, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        """`port` 0: a free one. The real one is in the run file either way."""
        self._told = told
        self._role = role
        self._instance = instance
        self._file = run_file(data_dir, role, instance)
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None

    async def start(self) -> Endpoint:
        """Listen, then write the run file. Raises HealthError when the address can't be had."""
        app = web.Application(middlewares=[_errors_as_json])
        app.router.add_get("/metrics", make_aiohttp_handler(self._told.registry))
        app.router.add_get("/live", _live)
        app.router.add_get("/ready", self._ready)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            self._runner = None
            raise HealthError(
                f"{self._role} {self._instance}: can't listen on {self._host}:{self._port} ({error.strerror});"
                " set its http_port to another port, or to 0 for a free one"
            ) from error
        port = int(self._runner.addresses[0][1])
        endpoint = Endpoint(self._role, self._instance, os.getpid(), self._host, port)
        self._write(endpoint)
        return endpoint

    async def stop(self) -> None:
        """Stop listening and take the run file away, unless a successor has written its own."""
        with suppress(FileNotFoundError):
            if msgspec.json.decode(self._file.read_bytes(), type=Endpoint).pid == os.getpid():
                self._file.unlink()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Endpoint:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _write(self, endpoint: Endpoint) -> None:
        make_private(self._file.parent)
        # Renamed into place: who waits for the file must not read half of it.
        unfinished = self._file.with_suffix(f".{endpoint.pid}.tmp")
        unfinished.write_bytes(msgspec.json.encode(endpoint))
        unfinished.replace(self._file)

    async def _ready(self, _: web.Request) -> web.Response:
        ready, reason = self._told.readiness
        if ready:
            return _json({"ready": True})
        return _json({"ready": False, "reason": reason}, status=503)


class HealthService(Service):  # type: ignore[misc]
    """A HealthServer as a part of a Faust app: hand it to `run_worker(services=...)`."""

    def __init__(self, server: HealthServer, **options: object) -> None:
        self._server = server
        super().__init__(**options)

    @classmethod
    def of_worker(cls, told: Told, settings: Settings) -> Self:
        """The worker's, where its settings say."""
        worker = settings.worker
        return cls(
            HealthServer(
                told, role="worker", instance=worker.instance, data_dir=settings.data_dir,
                host=worker.http_host, port=worker.http_port,
            )
        )  # fmt: skip

    async def on_start(self) -> None:
        """Before the app reads anything, so that `/ready` can say what it waits for."""
        await self._server.start()

    async def on_stop(self) -> None:
        """With the app."""
        await self._server.stop()


def sink_server(told: Told, settings: Settings) -> HealthServer:
    """The sink's, where its settings say."""
    sink = settings.sink
    return HealthServer(
        told, role="sink", instance=sink.instance, data_dir=settings.data_dir,
        host=sink.http_host, port=sink.http_port,
    )  # fmt: skip


async def _live(_: web.Request) -> web.Response:
    return _json({"live": True})


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        body = {"error": error.reason, "paths": ["/metrics", "/live", "/ready"]}
        return _json(body, status=error.status)


def _json(body: object, *, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")
