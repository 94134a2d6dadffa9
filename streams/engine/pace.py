"""How much is done between two turns of the event loop: less when commits come near their deadline, soon more again.

A commit is a dozen turns. On a machine that others keep busy, chunks and epochs of the usual size make each turn a second
long: no commit succeeds in time, the process ends, and its next life meets the same backlog and ends the same way.
"""

from typing import Final

from streams.engine.options import EngineOptions

LEAST_RECORDS: Final = 100
SLOW_SHARE: Final = 0.4
QUICK_SHARE: Final = 0.2


class Pace:
    """One for all partitions of a worker, since they share its event loop. Starts in the middle."""

    def __init__(self, options: EngineOptions) -> None:
        self._most_epoch = options.epoch_max_records
        self._most_chunk = options.chunk_max_records
        self._deadline = options.commit_timeout_ms / 1000
        self._least = min(LEAST_RECORDS / self._most_epoch, 1.0)
        # A life that begins with a backlog has no commit yet to learn from.
        self._share = 0.25

    @property
    def epoch_records(self) -> int:
        """At so many an epoch is full."""
        return max(int(self._most_epoch * self._share), min(LEAST_RECORDS, self._most_epoch))

    @property
    def chunk_records(self) -> int:
        """A chunk has no more."""
        return max(int(self._most_chunk * self._share), min(LEAST_RECORDS, self._most_chunk))

    def committed(self, took: float) -> None:
        """A commit succeeded after so many seconds."""
        if took > SLOW_SHARE * self._deadline:
            self._share = max(self._share / 2, self._least)
        elif took < QUICK_SHARE * self._deadline:
            self._share = min(self._share * 1.25, 1.0)
