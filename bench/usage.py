"""What a process has used: CPU seconds and memory, as the kernel counts them, of any process and from outside.

Peaks are those of the program itself: the kernel's other figure (`ru_maxrss`) also holds what the process that started
it had in memory, which is another program's.
"""

import os
from pathlib import Path
from typing import Final, NamedTuple

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_MB: Final = 1_048_576
_UTIME, _STIME = 11, 12  # behind the name, which may hold spaces and brackets


class UsageError(RuntimeError):
    """The kernel does not tell, or the process is gone. Names the process."""


class Usage(NamedTuple):
    """CPU seconds (user and system, all threads) and memory in MB (2^20 bytes) of one process."""

    cpu_s: float
    rss_mb: float
    peak_mb: float


def usage(pid: int | None = None) -> Usage:
    """Of a process since its start; None: of this one. UsageError if it has ended or this is no Linux."""
    directory = Path("/proc") / (str(pid) if pid is not None else "self")
    try:
        stat = (directory / "stat").read_text()
        status = (directory / "status").read_text()
    except OSError as error:
        raise UsageError(
            f"{directory}: {error.strerror}; the process has ended, or the kernel is not Linux's"
        ) from None
    fields = stat.rpartition(")")[2].split()
    memory = {name: value for name, _, value in (line.partition(":") for line in status.splitlines())}
    if "VmHWM" not in memory:
        raise UsageError(f"{directory}: the process has ended; its memory is given back already")
    return Usage(
        (int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS,
        int(memory["VmRSS"].split()[0]) * 1024 / _MB,
        int(memory["VmHWM"].split()[0]) * 1024 / _MB,
    )
