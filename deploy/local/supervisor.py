"""Starts services in order, watches them, stops them in reverse order, and leaves no process behind.

    async with Supervisor(on_event=show) as supervisor:
        await supervisor.start(kafka)
        await supervisor.start(worker.instance(1))
        await supervisor.watch()      # until SIGINT or SIGTERM; ServiceFailed if a service dies that has no comeback
    sys.exit(supervisor.exit_code)

The block's end stops all, however it ends. A second signal while stopping kills what is left. If the supervisor
itself is killed with SIGKILL, the kernel kills the services (see launch.py).
"""

import asyncio
import logging
import signal
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from deploy.local import process as processes
from deploy.local.errors import LocalStackError, ServiceFailed
from deploy.local.service import OnEvent, Service, ServiceEvent, State, ignore

READY_POLL_SECONDS = 0.05
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM)
CANCELLED = asyncio.CancelledError

_log = logging.getLogger(__name__)


@dataclass
class _Running:
    service: Service
    process: asyncio.subprocess.Process
    started: float
    death_expected: bool = False  # asked for by stop, restart or kill: not a failure


class Supervisor:
    """Runs services for the length of an `async with` block.

    `signals`: take SIGINT and SIGTERM as the request to end the block (main thread only). The block is then left
    from wherever it stands, without an exception, and `ended_by` says which signal it was.
    """

    def __init__(self, *, on_event: OnEvent = ignore, signals: bool = False) -> None:
        self.ended_by: signal.Signals | None = None
        self._on_event = on_event
        self._signals = signals
        self._running: dict[str, _Running] = {}  # in the order of their first start
        self._returning: dict[str, asyncio.Task[None]] = {}
        self._waits: dict[str, float] = {}  # before the next comeback of a service
        self._changed = asyncio.Event()
        self._task: asyncio.Task[object] | None = None
        self._stopping = False

    @property
    def exit_code(self) -> int:
        """0 for an ordinary end and for Ctrl-C, which is the ordinary end of a terminal session; else 128 + n."""
        return 0 if self.ended_by in (None, signal.SIGINT) else 128 + int(self.ended_by or 0)

    async def __aenter__(self) -> Self:
        self._task = asyncio.current_task()
        if self._signals:
            for number in ENDING_SIGNALS:
                asyncio.get_running_loop().add_signal_handler(number, self._signalled, number)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        try:
            # A signal that came just as the block ended for another reason is still to be delivered to this task.
            await self._stop_unbroken(own_cancel_pending=self.ended_by is not None and kind is not CANCELLED)
        finally:
            if self._signals:
                for number in ENDING_SIGNALS:
                    asyncio.get_running_loop().remove_signal_handler(number)
        if kind is CANCELLED and self.ended_by is not None:
            # This cancellation was our own way out of the block, and ends here.
            self._uncancel()
            return True
        return False

    async def _stop_unbroken(self, *, own_cancel_pending: bool) -> None:
        """Stop in order; if someone cancels even that, kill what is left, see it end, and only then give way."""
        stopping = asyncio.ensure_future(self.stop())
        broken_off = False
        while not stopping.done():
            try:
                await asyncio.shield(stopping)
            except asyncio.CancelledError:
                if own_cancel_pending:
                    own_cancel_pending = False
                    self._uncancel()
                else:
                    broken_off = True
                    self.kill_all()
        stopping.result()
        if broken_off:
            raise asyncio.CancelledError

    def _uncancel(self) -> None:
        if self._task is not None:
            self._task.uncancel()

    def _signalled(self, number: signal.Signals) -> None:
        if self.ended_by is None and not self._stopping:
            self.ended_by = number
            if self._task is not None:
                self._task.cancel()
        else:
            # Asked twice: whoever waits does not want to wait for an orderly end.
            self.kill_all()

    # ── starting ────────────────────────────────────────────────────────────────────────────────────────────

    async def start(self, service: Service) -> None:
        """Start a service and wait until it is ready.

        ServiceFailed if it ends before, is not ready in time, or its check raises; it is stopped in that case.
        """
        before = self._running.get(service.name)
        if before is not None and before.process.returncode is None:
            raise LocalStackError(
                f"service {service.name!r} runs already, as pid {before.process.pid}; "
                "give instances names of their own (Service.instance)"
            )
        started = time.monotonic()
        child = await processes.spawn(service.argv, log=service.log, env=service.env, cwd=service.cwd)
        running = _Running(service=service, process=child, started=started)
        self._running[service.name] = running
        self._changed.set()
        self._tell(running, "started", detail=f"pid {child.pid}")
        await self._until_ready(running)
        self._tell(running, "ready")

    async def _until_ready(self, running: _Running) -> None:
        service = running.service
        try:
            async with asyncio.timeout(service.ready_seconds):
                while True:
                    # Of any service: this one cannot get ready without those before it.
                    self._raise_first_death(running)
                    if await service.ready():
                        break
                    await asyncio.sleep(READY_POLL_SECONDS)
            # Dead, though something answered: another process at its place.
            self._raise_first_death(running)
        except ServiceFailed:
            await self._end(running)
            raise
        except Exception as error:
            why = (
                f"was not ready within {service.ready_seconds:g} s"
                if isinstance(error, TimeoutError)
                else f"could not be checked for readiness: {type(error).__name__}: {error}"
            )
            failure = self._failed(running, why)
            await self._end(running)
            raise failure from error

    # ── while running ───────────────────────────────────────────────────────────────────────────────────────

    async def watch(self) -> None:
        """Wait until the block is asked to end; ServiceFailed as soon as a service dies without being asked to.

        One with a comeback is started again, for ever if need be: it ends itself when a server is away for long.
        """
        try:
            while True:
                await self._watch_once()
        finally:
            for returning in self._returning.values():
                returning.cancel()
            await asyncio.gather(*self._returning.values(), return_exceptions=True)
            self._returning.clear()

    async def _watch_once(self) -> None:
        """Look at all, then wait until something has changed."""
        self._changed.clear()
        for name in [name for name, task in self._returning.items() if task.done()]:
            self._returning.pop(name).result()
        for name, running in self._running.items():
            if running.process.returncode is not None and not running.death_expected and _comes_back(running):
                running.death_expected = True
                self._returning[name] = asyncio.ensure_future(self._bring_back(running))
        self._raise_first_death()
        watched = [one for one in self._running.values() if not one.death_expected]
        waits = [asyncio.ensure_future(running.process.wait()) for running in watched]
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait(
                [*waits, *self._returning.values(), changed], return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for wait in [*waits, changed]:
                wait.cancel()

    async def _bring_back(self, running: _Running) -> None:
        """Start a service that has ended until it stays. ServiceFailed when that can't help, or at another's death."""
        service = running.service
        while (comeback := service.comeback) is not None:
            is_new = time.monotonic() - running.started >= comeback.steady
            wait = comeback.first_wait if is_new else self._waits.get(service.name, comeback.first_wait)
            self._waits[service.name] = min(2 * wait, comeback.longest_wait)
            code = processes.describe_exit(running.process.returncode or 0)
            self._tell(running, "returning", detail=f"ended with {code}; again in {wait:g} s")
            await asyncio.sleep(wait)
            try:
                await self.start(service)
            except ServiceFailed as failure:
                running = self._running[service.name]
                if failure.service != service.name or not _comes_back(running):
                    raise
            else:
                break

    def pid(self, name: str) -> int:
        """The process id of a running service."""
        return self._alive(name).process.pid

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a service, meaning it: `watch` does not report its death. `restart` brings it back."""
        running = self._alive(name)
        running.death_expected = True
        self._changed.set()
        processes.send(running.process, number)

    async def exited(self, name: str) -> int:
        """Wait until a service has ended; its exit code, negative for a signal."""
        return await self._known(name).process.wait()

    async def restart(self, name: str) -> None:
        """Stop a service in order if it runs, start it again, and wait until it is ready."""
        running = self._known(name)
        await self._end(running)
        await self.start(running.service)

    # ── stopping ────────────────────────────────────────────────────────────────────────────────────────────

    async def stop(self) -> None:
        """Stop all services, last started first."""
        self._stopping = True
        try:
            for running in reversed(list(self._running.values())):
                await self._end(running)
        finally:
            self._stopping = False

    async def stop_one(self, name: str) -> None:
        """Stop one service and wait for its end."""
        await self._end(self._known(name))

    def kill_all(self) -> None:
        """SIGKILL to every service, at once and in no order."""
        for running in self._running.values():
            running.death_expected = True
            processes.kill_group(running.process)

    async def _end(self, running: _Running) -> None:
        running.death_expected = True
        self._changed.set()
        if running.process.returncode is not None:
            return
        asked = time.monotonic()
        service = running.service
        code = await processes.stop(running.process, first=service.stop_signal, seconds=service.stop_seconds)
        self._tell(running, "stopped", detail=processes.describe_exit(code), since=asked)

    # ── telling ─────────────────────────────────────────────────────────────────────────────────────────────

    def _tell(self, running: _Running, state: State, detail: str = "", since: float | None = None) -> None:
        seconds = time.monotonic() - (running.started if since is None else since)
        event = ServiceEvent(running.service.name, state, seconds, detail)
        try:
            self._on_event(event)
        except (Exception, SystemExit):
            # Raised in the midst of a stop it would break that off, and what is left would get SIGKILL.
            _log.warning("nobody could be told of %s", event, exc_info=True)

    def _raise_first_death(self, starting: _Running | None = None) -> None:
        """Of those that do not come back, or of the one that is starting."""
        for running in self._running.values():
            code = running.process.returncode
            if code is None or running.death_expected:
                continue
            if running is starting or not _comes_back(running):
                running.death_expected = True  # told once
                raise self._failed(running, f"ended with {processes.describe_exit(code)}")

    def _failed(self, running: _Running, why: str) -> ServiceFailed:
        self._tell(running, "failed", detail=why)
        service = running.service
        return ServiceFailed(
            f"{service.name} (pid {running.process.pid}) {why}; the end of {service.log}:\n"
            f"{processes.tail(service.log)}",
            service=service.name,
        )

    def _known(self, name: str) -> _Running:
        try:
            return self._running[name]
        except KeyError:
            known = ", ".join(self._running) or "none"
            raise LocalStackError(f"no service is called {name!r}; there are: {known}") from None

    def _alive(self, name: str) -> _Running:
        running = self._known(name)
        if running.process.returncode is not None:
            ended = processes.describe_exit(running.process.returncode)
            raise LocalStackError(f"service {name!r} does not run: it ended with {ended}")
        return running


def _comes_back(running: _Running) -> bool:
    comeback = running.service.comeback
    return comeback is not None and running.process.returncode not in comeback.never
