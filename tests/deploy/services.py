"""Services of one line of Python each, for the tests of the supervisor."""

import asyncio
import sys
from pathlib import Path

import psutil

from deploy.local.service import ReadyCheck, Service

# They live until they are stopped: the sleep is only longer than any test.
SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"


def ends_as_told(path: Path, says: str = "up") -> str:
    """Says it, then ends with the code in the file as soon as there is one, and takes the file away."""
    return f"""
import pathlib, sys, time
told = pathlib.Path({str(path)!r})
print({says!r}, flush=True)
while not (told.exists() and told.read_text()): time.sleep(0.01)  # a file is there before its text is
code = int(told.read_text()); told.unlink(); sys.exit(code)
"""


def python(
    name: str, code: str, directory: Path, ready: ReadyCheck | None = None, stop_seconds: float = 5
) -> Service:
    """A service that runs a line of Python, by default ready when it has printed something."""
    log = directory / "logs" / f"{name}.log"

    async def has_printed() -> bool:
        return log.stat().st_size > 0

    return Service(
        name=name,
        argv=(sys.executable, "-S", "-c", code),
        log=log,
        ready=ready or has_printed,
        ready_seconds=20,
        stop_seconds=stop_seconds,
    )


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


async def gone(pid: int, seconds: float = 10) -> None:
    """Wait for the end of a process that is not this one's child."""
    async with asyncio.timeout(seconds):
        while alive(pid):
            await asyncio.sleep(0.02)
