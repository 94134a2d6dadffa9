"""Ports on this machine: free ones, and who holds a busy one."""

import contextlib
import os
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import PortBusy

LOOPBACK = "127.0.0.1"

# Below the range from which the kernel takes ports for outgoing connections: one of those could sit on a port
# between its choice and the moment the service listens on it.
FREE_PORTS = range(20_000, 32_000)

_TRIES = 200
_LISTEN = "0A"  # state of a listening socket in /proc/net/tcp
_given: set[int] = set()


@dataclass(frozen=True)
class Holder:
    """A process that listens on a port."""

    pid: int
    command: str

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.command})"


def free_port(host: str = LOOPBACK) -> int:
    """A port nothing listens on; never the same one twice in a process."""
    choose = random.SystemRandom()
    for _ in range(_TRIES):
        port = choose.choice(FREE_PORTS)
        if port not in _given and not is_busy(port, host):
            _given.add(port)
            return port
    raise PortBusy(
        f"no free port among {_TRIES} tried between {FREE_PORTS.start} and {FREE_PORTS.stop} on {host}"
    )


def is_busy(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could not listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do, so that connections of the last run that are still closing are not in the way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return True
    return False


def require_free(port: int, host: str = LOOPBACK, *, purpose: str, option: str) -> None:
    """PortBusy, naming the holder, if `purpose` cannot listen there; `option` is the way to choose another."""
    if not is_busy(port, host):
        return
    found = holder(port)
    by = f"held by {found}" if found else "held by another process"
    raise PortBusy(
        f"port {port} on {host}, wanted for {purpose}, is {by}; stop that, or choose a port with {option}"
    )


def holder(port: int) -> Holder | None:
    """The process that listens on a TCP port; None if that cannot be found out (not Linux, another user's)."""
    inodes = set(_listening_inodes(port))
    if not inodes:
        return None
    for directory in Path("/proc").glob("[0-9]*"):
        # Processes come and go while we look, and those of others may not be looked into.
        with contextlib.suppress(OSError):
            for descriptor in (directory / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if os.readlink(descriptor) in inodes:
                        return Holder(pid=int(directory.name), command=_command(directory))
    return None


def _listening_inodes(port: int) -> Iterator[str]:
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        try:
            lines = table.read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                yield f"socket:[{fields[9]}]"


def _command(directory: Path) -> str:
    """Program and what it runs, without the options between, which for Java fill a page."""
    words = (directory / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    if not words:
        return (directory / "comm").read_text().strip()
    program = Path(words[0]).name
    rest = words[-2:] if program == "java" else words[1:3]
    text = " ".join([program, *(word for word in rest if word not in words[:1])])
    return text if len(text) <= 100 else text[:99] + "…"
