"""Virtual time: an event loop whose clock jumps to the next timer, and the product's clocks turned to it."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest import mock

from sinks import delivery
from streams import sink
from streams.engine import engine, epochs, outbox, partition, takeover

# Each of these reads a clock by the name `time`.
_READERS: Final = (engine, epochs, outbox, partition, takeover, sink, delivery)
# Far enough on that no event time of any world lies in the future.
WALL_SECONDS: Final = 4_000_000_000.0


class Standstill(RuntimeError):
    """Nothing is ready and no timer is set: everybody waits for somebody."""


class _Selector:
    """Waits for nothing but time, and for that by moving the clock."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        """See selectors.BaseSelector; no file is ever ready."""
        if timeout is None:
            raise Standstill("no task is ready and no timer is set")
        self._loop.now += timeout
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs tasks in one order that hangs on nothing but what they do."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self._selector = _Selector(self)
        # What a process that was killed leaves behind is no news.
        self.set_exception_handler(lambda loop, context: None)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self.now

    def _process_events(self, event_list: list[Any]) -> None:
        """No file is ever ready."""

    def _write_to_self(self) -> None:
        """No other thread wakes this loop."""


class Clock:
    """Stands where the module `time` stands in the product's modules."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def monotonic(self) -> float:
        """Virtual seconds."""
        return self._loop.now

    perf_counter = monotonic

    def time(self) -> float:
        """Virtual wall clock, seconds since 1970."""
        return WALL_SECONDS + self._loop.now


@contextmanager
def virtual_time(loop: VirtualLoop) -> Iterator[None]:
    """Within: the product's modules read the loop's clock."""
    clock = Clock(loop)
    with ExitStack() as patches:
        for module in _READERS:
            patches.enter_context(mock.patch.object(module, "time", clock))
        yield
