"""The C library's memory: what an epoch has used goes back to the system when it is done.

An epoch's batches and fetched records are megabytes that live for a second. By default glibc keeps them in heaps of every
thread, between small things that stay: a worker's memory then grows for an hour to what its worst second needed.
Where the C library is another one, nothing here does anything.
"""

import ctypes
from collections.abc import Callable
from typing import Any, Final

_M_ARENA_MAX: Final = -8
_M_MMAP_THRESHOLD: Final = -3
ARENAS: Final = 2  # one is the event loop's, the other all other threads'
# Larger blocks come from the system and go back to it when they are freed. Setting it also keeps it where it is: by
# default it grows to 32 MiB with the largest block ever freed.
MMAP_BYTES: Final = 262_144


def settle(library: Callable[[], Any] = lambda: ctypes.CDLL(None)) -> bool:
    """Set both, once, before threads start. False where there is no glibc."""
    try:
        mallopt = library().mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(_M_ARENA_MAX, ARENAS) and mallopt(_M_MMAP_THRESHOLD, MMAP_BYTES))


def give_back(library: Callable[[], Any] = lambda: ctypes.CDLL(None)) -> bool:
    """Return free pages to the system: one or two ms with 400 MB. False where there is no glibc."""
    try:
        malloc_trim = library().malloc_trim
    except (AttributeError, OSError):
        return False
    malloc_trim(0)
    return True
