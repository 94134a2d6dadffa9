"""Virtual time: an event loop whose clock jumps to the next timer, and the product's clocks turned to it."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import Context, copy_context
from heapq import heappop, heappush
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


class Handle:
    """A call that is still to come, and can be taken back."""

    __slots__ = ("args", "callback", "context", "is_cancelled", "when_")

    def __init__(
        self, when: float, callback: Callable[..., object], args: tuple[Any, ...], context: Context
    ) -> None:
        self.when_ = when
        self.callback = callback
        self.args = args
        self.context = context
        self.is_cancelled = False

    def cancel(self) -> None:
        """Take it back."""
        self.is_cancelled = True

    def cancelled(self) -> bool:
        """Has it been taken back?"""
        return self.is_cancelled

    def when(self) -> float:
        """Virtual seconds."""
        return self.when_


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs tasks in one order that hangs on nothing but what they do; when none is ready, the clock moves.

    What asyncio's loop does beside that for files, threads, signals and debugging was half of a run's time.
    """

    _ready: deque[Handle]

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self._timers: list[tuple[float, int, Handle]] = []
        self._made = 0
        # What a process that was killed leaves behind is no news.
        self.set_exception_handler(lambda loop, context: None)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self.now

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        """After everything that is ready now."""
        handle = Handle(self.now, callback, args, context or copy_context())
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        """In so many virtual seconds."""
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        """At this virtual second; of those at the same, the first made comes first."""
        self._made += 1
        handle = Handle(when, callback, args, context or copy_context())
        heappush(self._timers, (when, self._made, handle))
        return handle

    def _run_once(self) -> None:
        """All that is ready now. What raises here is no task's: the run fails."""
        ready, timers = self._ready, self._timers
        if not ready:
            while timers and timers[0][2].is_cancelled:
                heappop(timers)
            if not timers:
                raise Standstill("no task is ready and no timer is set")
            self.now = max(self.now, timers[0][0])
        while timers and timers[0][0] <= self.now:
            ready.append(heappop(timers)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.is_cancelled:
                handle.context.run(handle.callback, *handle.args)

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
