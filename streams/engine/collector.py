"""Garbage collection between epochs: automatic collection costs a third of the throughput, none at all leaks.

What exists after the start (modules, the app, Faust's graph) is frozen: never looked at again. A collection walks the
cached people, some hundred thousand objects, and holds every partition for half a second; what it finds is next to
nothing, since neither epochs nor people make cycles (`tests/processors/test_garbage.py`). So it comes every few
minutes; and at once when far more objects have been made than given back, as only cycles could do it.
"""

import gc
import logging
import time
from collections.abc import Callable

from streams.engine import allocator

log = logging.getLogger("shopmeter.engine")

EVERY_SECONDS = 300.0
# Objects that the collector knows, made since the last collection and not given back. The caches take turns of some
# hundred thousand; a client that leaves cycles behind gets there in a minute.
MOST_NEW_OBJECTS = 2_000_000
GIVE_BACK_SECONDS = 30.0


class Collector:
    """Call `between` between two pieces of work."""

    def __init__(
        self,
        told: Callable[[int, float], None],
        clock: Callable[[], float] = time.monotonic,
        new_objects: Callable[[], int] = lambda: gc.get_count()[0],
    ) -> None:
        self._told = told
        self._clock = clock
        self._new_objects = new_objects
        self._collected_at = self._given_back_at = clock()

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
        """Collect and give memory back when it is time; tells how many objects were in cycles, and seconds."""
        if self._clock() - self._given_back_at >= GIVE_BACK_SECONDS:
            self._given_back_at = self._clock()
            allocator.give_back()
        if self._clock() - self._collected_at < EVERY_SECONDS and self._new_objects() < MOST_NEW_OBJECTS:
            return
        self._collect()

    def after_rebalance(self) -> None:
        """Partitions were given back: what they held must not stay beside what takes its place until it is time."""
        if not gc.isenabled():
            self._collect()

    def _collect(self) -> None:
        began = time.perf_counter()
        found = gc.collect()
        self._collected_at = self._clock()
        self._told(found, time.perf_counter() - began)
