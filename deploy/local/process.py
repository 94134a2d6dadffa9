"""A supervised child process: started so that it cannot outlive us, its log at hand, stopped within a bound."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

LAUNCH = Path(__file__).with_name("launch.py")
LOG_KEPT_BYTES = (
    10_000_000  # a log larger than this is put aside at the next start, so that it cannot fill a disk
)
TAIL_BYTES = 16_384


def bound(argv: Sequence[str]) -> list[str]:
    """`argv` as a command that is killed when the calling *thread* ends (Linux), which a process's end includes.

    The kernel ties the signal to the thread that forks, so start long-lived children from a thread that stays.
    Elsewhere than on Linux the command runs, but outlives a supervisor that is killed with SIGKILL.
    """
    # -I -S: neither the environment nor site-packages can slow down or change the few lines that run here.
    return [sys.executable, "-I", "-S", str(LAUNCH), str(os.getpid()), *argv]


def tail(log: Path, lines: int = 12) -> str:
    """The last lines of a log, for an error message; a line that says so if there are none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return f"({log} does not exist)"
    last = [line for line in text.splitlines() if line.strip()][-lines:]
    return "\n".join(last) if last else f"({log} is empty)"


def describe_exit(code: int) -> str:
    """ "exit code 3", or "signal SIGKILL" for the negative codes of Python."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


async def spawn(
    argv: Sequence[str], *, log: Path, env: Mapping[str, str], cwd: Path | None
) -> asyncio.subprocess.Process:
    """Start `argv` in a process group of its own, output appended to `log`, `env` laid over this process's."""
    with _open_log(log) as output:
        return await asyncio.create_subprocess_exec(
            *bound(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **env},
            cwd=cwd,
            # Own group: Ctrl-C in the terminal must reach the supervisor alone, or the broker would be
            # gone before the workers had committed.
            process_group=0,
        )


def _open_log(log: Path) -> IO[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_KEPT_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))
    return log.open("ab")


async def stop(process: asyncio.subprocess.Process, *, first: signal.Signals, seconds: float) -> int:
    """Ask with `first`, insist with SIGKILL after `seconds`; the exit code."""
    send(process, first)
    # A stopped process (SIGSTOP) handles no signal before it goes on.
    send(process, signal.SIGCONT)
    with contextlib.suppress(TimeoutError):
        return await asyncio.wait_for(process.wait(), seconds)
    kill_group(process)
    return await process.wait()


def send(process: asyncio.subprocess.Process, number: int) -> None:
    """Send a signal; nothing if the process has ended."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            # Not `process.send_signal`: that polls, and takes the exit code from the event loop's watcher, which
            # tells 255 then.
            os.kill(process.pid, number)


def kill_group(process: asyncio.subprocess.Process) -> None:
    """SIGKILL to the process and what it started; nothing if it has ended, as its number may be another's by then."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
