"""What the supervisor is told to run, and what it tells of it."""

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

# One look at a running service: true when it can be used. May raise; that ends the start with the error.
ReadyCheck = Callable[[], Awaitable[bool]]


async def at_once() -> bool:
    """The ready check of a service that others need not wait for."""
    return True


@dataclass(frozen=True)
class Comeback:
    """How a service that ended by itself is started again: after a wait that doubles each time, in seconds."""

    first_wait: float = 1.0
    longest_wait: float = 30.0
    steady: float = 60.0  # having run so long, it begins with the first wait again
    # Wrong usage and wrong settings: another start would end as this one did, and hide what is to be mended.
    never: frozenset[int] = frozenset({2, 78})


@dataclass(frozen=True)
class Service:
    """A process to run: its command, where its output goes, and how one knows that it is up."""

    name: str
    argv: tuple[str, ...]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)  # laid over the supervisor's own
    cwd: Path | None = None
    ready: ReadyCheck = at_once
    ready_seconds: float = 60.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10.0  # then SIGKILL
    comeback: Comeback | None = None  # None: its end is the end of all

    def instance(self, number: int) -> "Service":
        """The same service once more beside itself: `worker-2`, logging to `worker-2.log`."""
        name = f"{self.name}-{number}"
        return replace(self, name=name, log=self.log.with_name(f"{name}{self.log.suffix}"))


State = Literal["started", "ready", "failed", "stopped", "returning"]


@dataclass(frozen=True)
class ServiceEvent:
    """A step in a service's life. `seconds`: since its start; for `stopped`, since it was asked to stop."""

    service: str
    state: State
    seconds: float
    detail: str = ""


OnEvent = Callable[[ServiceEvent], None]


def ignore(_: ServiceEvent) -> None:
    """For callers that show nothing."""
