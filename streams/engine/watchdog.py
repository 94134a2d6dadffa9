"""A thread that ends the process when it is stuck: the event loop can't watch itself.

Nobody notices a worker that hangs but still sends heartbeats: its partitions just stop. The thread looks, twice a
second, at four things that can't be right for long, and ends the process at the first one.
"""

import threading
import time
from collections.abc import Callable
from typing import Protocol

from streams.engine.fatal import Exit

LOOK_SECONDS = 0.5


class Watched(Protocol):
    """What the watchdog asks for; called in its thread, so it must only read."""

    def stuck(self, now: float) -> str | None:
        """Why the engine is stuck, or None. Monotonic seconds."""
        ...


class Watchdog:
    """`beat` from the event loop; `start` and `stop` around its life. Times in seconds."""

    def __init__(
        self,
        watched: Watched,
        exit: Exit,
        *,
        loop_lag: float,
        suspended: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watched = watched
        self._exit = exit
        self._loop_lag = loop_lag
        self._suspended = suspended
        self._clock = clock
        self._beat_at = self._looked_at = clock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._beat_at = self._looked_at = self._clock()
        self._thread.start()

    def stop(self) -> None:
        """End it. Again is harmless."""
        self._stop.set()

    def beat(self) -> None:
        """The event loop turns."""
        self._beat_at = self._clock()

    def look(self) -> str | None:
        """What is wrong now, or None."""
        now = self._clock()
        gap, self._looked_at = now - self._looked_at, now
        if gap > self._suspended:
            # Stopped by a signal, a debugger or a paused machine: others may own our partitions since.
            return f"the process stood still for {gap:.1f} s, longer than most of its group session"
        if now - self._beat_at > self._loop_lag:
            return f"the event loop has not turned for {now - self._beat_at:.1f} s"
        return self._watched.stuck(now)

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                reason = self.look()
            except Exception as error:
                # Else the thread would end, and nobody would look any more.
                self._exit("the watchdog can't look", error)
            if reason is not None and not self._stop.is_set():
                self._exit(f"watchdog: {reason}")
