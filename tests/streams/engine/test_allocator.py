"""Memory goes back to the system, and another C library is no error."""

import subprocess
import sys
from typing import Any

import pytest

from streams.engine import allocator

_HOLD_AND_FREE = """
from streams.engine import allocator
def rss_mb():
    return next(int(l.split()[1]) // 1024 for l in open("/proc/self/status") if l.startswith("VmRSS"))
allocator.settle()
blocks = [bytearray(b"x") * 4_000 for _ in range(50_000)]
kept = blocks[::1_000]
full = rss_mb()
del blocks
allocator.give_back()
print(full - rss_mb())
"""


@pytest.mark.skipif(not allocator.give_back(), reason="another C library than glibc")
def test_free_memory_between_blocks_that_stay_goes_back() -> None:
    told = subprocess.run([sys.executable, "-c", _HOLD_AND_FREE], capture_output=True, text=True, check=True)
    assert int(told.stdout) > 150  # of 190 MB, with every thousandth block kept


def test_without_glibc_nothing_happens() -> None:
    def none() -> Any:
        raise OSError("no such library")

    assert not allocator.settle(none)
    assert not allocator.give_back(none)
    assert not allocator.settle(object)
    assert not allocator.give_back(object)
