"""Runs first in a worker or sink that has this directory on its PYTHONPATH: another clock, or an earlier version.

`FAULTS_CLOCK`: a file with milliseconds by which this process's wall clock is off; it may change at any time.
`FAULTS_WITHOUT`: an input topic that this process's version does not know yet.
"""

import os
import time


def wrong_clock(file: str) -> None:
    """Every reading of the wall clock is off by what the file says, looked up ten times a second."""
    right, steady = time.time_ns, time.monotonic
    read_at = -1.0
    off_ns = 0

    def now_ns() -> int:
        nonlocal read_at, off_ns
        if steady() - read_at > 0.1:
            read_at = steady()
            with open(file, encoding="ascii") as source:
                off_ns = int(source.read() or 0) * 1_000_000
        return right() + off_ns

    time.time_ns = now_ns
    time.time = lambda: now_ns() / 1e9


def earlier_version(without: str) -> None:
    """The input topics as they were before this one was added."""
    from schemas import topics

    topics.INPUTS = tuple(name for name in topics.INPUTS if name != without)  # type: ignore[assignment, misc]


if file := os.environ.get("FAULTS_CLOCK"):
    wrong_clock(file)
if topic := os.environ.get("FAULTS_WITHOUT"):
    earlier_version(topic)
