"""Garbage collection between epochs: automatic collection costs a third of the throughput, none at all leaks.

What exists after the start (modules, the app, Faust's graph) is frozen: never looked at again. Young objects are
collected every few seconds. All others soon after: what is in flight during a young collection grows old, and the
clients' futures and batches are cycles that only a full one frees. At 600 s between these, a worker under full load grew
by a gigabyte a minute. A full collection walks the cached people, some 600,000 objects.
"""

import gc
import logging
import time
from collections.abc import Callable

log = logging.getLogger("shopmeter.engine")

YOUNG = 1
OLD = 2
YOUNG_EVERY_SECONDS = 5.0
OLD_EVERY_SECONDS = 10.0


class Collector:
    """Call `between` between two pieces of work."""

    def __init__(
        self, told: Callable[[int, float], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._told = told
        self._clock = clock
        self._young_at = self._old_at = clock()

    def start(self) -> None:
        """No automatic collection from here on; what exists now is for ever."""
        gc.collect()
        gc.freeze()
        gc.disable()
        log.info("%d objects frozen, automatic garbage collection off", gc.get_freeze_count())

    def stop(self) -> None:
        """Back to Python's own ways."""
        gc.enable()
        gc.unfreeze()

    def between(self) -> None:
        """Collect when it is time; tells generation and seconds."""
        now = self._clock()
        if now - self._young_at < YOUNG_EVERY_SECONDS:
            return
        generation = YOUNG
        if now - self._old_at >= OLD_EVERY_SECONDS:
            generation, self._old_at = OLD, now
        began = time.perf_counter()
        gc.collect(generation)
        self._young_at = self._clock()
        self._told(generation, time.perf_counter() - began)
