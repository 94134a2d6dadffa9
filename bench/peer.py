"""The frame of a peer's process: `python -m bench.peers.NAME TASK RESULT`, both JSON; the result appears when whole.

A peer runs alone in its process, so the CPU time and the memory that it reports are its own.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from bench.usage import usage

T = TypeVar("T", bound=Struct)


class PeerResult(Struct, kw_only=True):
    """What a peer did. CPU seconds are those of the measured part, memory is the peak of the whole process."""

    events: int
    seconds: float
    cpu_s: float
    peak_mb: float
    detail: dict[str, Any] = {}


class Stopwatch:
    """Wall and CPU seconds of this process since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def result(self, events: int, **detail: Any) -> PeerResult:
        """Stop, and tell."""
        seconds, cpu_s = time.monotonic() - self._wall, time.process_time() - self._cpu
        return PeerResult(events=events, seconds=seconds, cpu_s=cpu_s, peak_mb=usage().peak_mb, detail=detail)


def main(
    task: type[T], run: Callable[[T], PeerResult] | None = None, arun: Callable[[T], Awaitable[PeerResult]] | None = None
) -> None:  # fmt: skip
    """Read the task from the command line, run it, write the result. One of `run` and `arun`."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    told = msgspec.json.decode(sys.argv[1], type=task)
    if run is not None:
        result = run(told)
    else:
        assert arun is not None
        result = asyncio.run(_awaited(arun(told)))
    write(Path(sys.argv[2]), result)


async def _awaited(result: Awaitable[PeerResult]) -> PeerResult:
    return await result


def write(path: Path, value: Any) -> None:
    """The value as JSON; the file appears when it is whole."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(msgspec.json.encode(value))
    part.replace(path)
