"""The circuit breaker: a bad deploy of ours stops the worker instead of emptying a topic into the dead letters.

Dead letters of one store are that storefront's mistake, however many: they never trip it. So whatever is compared here,
the named store with the most dead letters is left out. Records of a store that nobody can name count as everybody's.
"""

from collections import Counter, deque
from collections.abc import Sequence
from typing import NamedTuple

NO_STORE = ""
"""Of a record that names no store; it is nobody's mistake alone."""


class BreakerTripped(RuntimeError):
    """Too many records of too many stores can't be processed. Says topic, figures, and what to do."""


class Bounds(NamedTuple):
    """When it trips. All figures are of one topic, and without the store with the most dead letters."""

    window_records: int = 2_000
    """So many recent records are looked at, at least; 0: never trips."""
    share: float = 0.5
    """More dead letters than this share of a full window trip it, if they are `run_records` or more."""
    run_records: int = 200
    """So many dead letters since the last chunk with any good record trip it, whatever the window holds."""


class _Lane:
    """The recent chunks of one topic."""

    def __init__(self) -> None:
        self.chunks: deque[tuple[int, Counter[str]]] = deque()
        self.records = 0
        self.letters: Counter[str] = Counter()
        self.run: Counter[str] = Counter()


class Breaker:
    """Judges the chunks of all partitions of one worker, in the order in which they are processed."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._lanes: dict[str, _Lane] = {}

    def saw(self, topic: str, records: int, letters: Sequence[str]) -> None:
        """A chunk of `records`, of which those became dead letters: the store of each, NO_STORE where none is named.

        Raises BreakerTripped: nothing of the chunk may be committed then.
        """
        bounds = self._bounds
        if not bounds.window_records:
            return
        lane = self._lanes.get(topic)
        if lane is None:
            lane = self._lanes[topic] = _Lane()
        chunk = Counter(letters)
        lane.chunks.append((records, chunk))
        lane.records += records
        lane.letters.update(chunk)
        while lane.records - lane.chunks[0][0] >= bounds.window_records:
            size, gone = lane.chunks.popleft()
            lane.records -= size
            lane.letters -= gone
        if records > len(letters):
            # Its own letters are no run either: in a large chunk of a backlog they are many, and few of its records.
            lane.run.clear()
        else:
            lane.run.update(chunk)
        if letters:
            self._judge(topic, lane)

    def _judge(self, topic: str, lane: _Lane) -> None:
        bounds = self._bounds
        in_a_row = _without_worst(lane.run)
        if in_a_row >= bounds.run_records:
            raise BreakerTripped(
                f"{topic}: {lane.run.total()} dead letters in a row, {in_a_row} of them not of the store with the most;"
                f" {_ADVICE}"
            )
        others = _without_worst(lane.letters)
        rest = lane.records - (lane.letters.total() - others)
        if (
            lane.records >= bounds.window_records
            and others >= bounds.run_records
            and others > bounds.share * rest
        ):
            raise BreakerTripped(
                f"{topic}: {lane.letters.total()} of the last {lane.records} records are dead letters, and without"
                f" the store with the most still {others} of {rest}; {_ADVICE}"
            )


def _without_worst(letters: Counter[str]) -> int:
    named = max((count for store, count in letters.items() if store != NO_STORE), default=0)
    return letters.total() - named


_ADVICE = (
    "that is rather a fault of this deploy or its stores file than of the storefronts: mend it and start again,"
    " or raise worker.breaker_share and worker.breaker_run_records if the records are to blame"
)
