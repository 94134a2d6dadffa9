"""Workers and sinks as processes that are brought back when they die, as an orchestrator would, until told to leave."""

import asyncio
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from deploy.local import process as processes

STOP_SECONDS = 20.0
# A process that ends by itself is not started again at once, or a broken one would take the whole machine.
REVIVE_SECONDS = 0.3
# Said by a worker and by a sink when they have their partitions and take records.
WORKS = {"worker": "processing partitions ", "sink": " has partitions "}


class Member:
    """One worker or sink, under one name and membership slot, for as long as it is wanted."""

    def __init__(self, name: str, role: str, env: Mapping[str, str], directory: Path) -> None:
        self.name = name
        self.role = role
        self.log = directory / "logs" / f"{name}.log"
        self.exits: list[int] = []
        """Exit codes of its processes, negative for a signal, in order."""
        self.starts = 0
        self.wanted = False
        self.env = dict(env)
        self._cwd = directory
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._began_at = 0  # byte of the log at which the present process began

    async def start(self) -> None:
        """Start it, and from now on whenever it ends. Returns when it runs, not when it works."""
        self.wanted = True
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep(), name=f"keeper of {self.name}")

    async def _spawn(self) -> None:
        self._began_at = self.log.stat().st_size if self.log.exists() else 0
        argv = (sys.executable, "-m", "deploy.cli", self.role)
        self._process = await processes.spawn(argv, log=self.log, env=self.env, cwd=self._cwd)
        self.starts += 1

    async def _keep(self) -> None:
        while True:
            assert self._process is not None
            code = await self._process.wait()
            self.exits.append(code)
            if not self.wanted:
                return
            if code != -signal.SIGKILL:
                await asyncio.sleep(REVIVE_SECONDS)
            await self._spawn()

    @property
    def process(self) -> asyncio.subprocess.Process:
        """The process of now; AssertionError before the start."""
        assert self._process is not None, f"{self.name} was never started"
        return self._process

    def send(self, number: int) -> None:
        """A signal to it: SIGSTOP, SIGCONT, SIGTERM. It is brought back if it ends."""
        processes.send(self.process, number)

    def kill(self) -> None:
        """kill -9, now. It is brought back at once."""
        processes.kill_group(self.process)

    async def replaced(self, *, seconds: float = 30.0) -> None:
        """kill -9, and wait until its successor runs: until then its log tells of the partitions of the dead one."""
        starts = self.starts
        self.kill()
        async with asyncio.timeout(seconds):
            while self.starts == starts:
                await asyncio.sleep(0.005)

    async def leave(self, *, kill: bool = False, seconds: float = STOP_SECONDS) -> int:
        """End it for good, with SIGTERM or kill -9; the exit code."""
        self.wanted = False
        if kill:
            processes.kill_group(self.process)
        await processes.stop(self.process, first=signal.SIGTERM, seconds=seconds)
        if self._keeper is not None:
            await self._keeper
        return self.exits[-1]

    async def close(self) -> None:
        """kill -9 for good, whatever it was doing. Never raises."""
        self.wanted = False
        if self._keeper is None:
            return
        # It may be just about to start a process: only the keeper's end tells that none runs.
        while not self._keeper.done():
            processes.kill_group(self.process)
            await asyncio.wait([self._keeper], timeout=0.2)

    def has(self) -> frozenset[int]:
        """The partitions that its present process works on, as its log says; empty while it starts or has ended."""
        if self.process.returncode is not None or not self.log.exists():
            return frozenset()
        with self.log.open("rb") as file:
            file.seek(self._began_at)
            lines = file.read().decode(errors="replace").splitlines()
        for line in reversed(lines):
            if WORKS[self.role] in line:
                listed = line.rsplit("[", 1)[1].split("]")[0]
                return frozenset(int(number) for number in listed.split(",") if number.strip())
        return frozenset()

    async def works(self, *, seconds: float = 60.0) -> float:
        """Wait until it has partitions; the moment (monotonic seconds). AssertionError with its log's end."""
        deadline = time.monotonic() + seconds
        while not self.has():
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name} does not work after {seconds} s:\n{self.tail()}")
            await asyncio.sleep(0.05)
        return time.monotonic()

    async def works_on(self, partitions: frozenset[int], *, seconds: float = 60.0) -> float:
        """Wait until it has exactly these partitions; the moment (monotonic seconds). AssertionError likewise."""
        deadline = time.monotonic() + seconds
        while (has := self.has()) != partitions:
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"{self.name} has {sorted(has)} after {seconds} s, not {sorted(partitions)}:\n{self.tail()}"
                )
            await asyncio.sleep(0.05)
        return time.monotonic()

    def tail(self, lines: int = 40) -> str:
        """The end of its log."""
        return processes.tail(self.log, lines)

    @property
    def unasked(self) -> list[int]:
        """Exits that nobody asked for: neither kill -9 nor an orderly end."""
        return [code for code in self.exits if code not in (0, -signal.SIGKILL)]
