"""Which topics of a partition are at their end, and which must wait for slower ones while catching up.

*Idle* and *behind* are judged by fetch responses, never by silence: a broker that does not answer must not make a
topic look finished, or the watermark would pass records that nobody has seen.

Alignment can't block itself: the topics that hold others back are those that are behind; the slowest of them is
never held; it has records to take, or it reaches its end and then is not behind any more.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class End(NamedTuple):
    """What the last fetch response said about a topic-partition."""

    offset: int
    """The last stable offset: what a read-committed reader may see ends here."""
    seen: float
    """When we saw the response, in seconds of the monotonic clock."""
    answered_ms: int = 0
    """When the response came, by the wall clock."""


class _TopicEnd:
    __slots__ = ("answered_ms", "at_end_since", "last_at_end", "offset", "seen")

    def __init__(self, now: float) -> None:
        self.offset: int | None = None
        self.seen = now
        self.answered_ms = 0
        self.at_end_since: float | None = None
        self.last_at_end: float | None = None


class TopicEnds:
    """The ends of one partition's source topics. Times in seconds of the monotonic clock."""

    def __init__(self, topics: Iterable[str], *, idle_after: float, now: float = 0.0) -> None:
        self._ends = {topic: _TopicEnd(now) for topic in topics}
        self._idle_after = idle_after

    def observe(self, topic: str, position: int, end: End | None, now: float) -> None:
        """Take note of a topic's processed position and of the last fetch response, if there was any."""
        state = self._ends[topic]
        if end is not None:
            state.offset, state.seen, state.answered_ms = end
        if state.offset is None:
            return
        if position < state.offset:
            state.at_end_since = None
            return
        state.last_at_end = now
        if state.at_end_since is None:
            state.at_end_since = now

    def idle(self, since_ms: int = 0) -> frozenset[str]:
        """Topics for which a response that came `idle_after` after the end was reached still said: the end.

        Only responses since `since_ms` count, the moment at which the last processed chunk was taken: an older one says
        nothing of what was written before that chunk, and the watermark would pass it.
        """
        return frozenset(
            topic
            for topic, state in self._ends.items()
            if state.at_end_since is not None
            and state.answered_ms >= since_ms
            and state.seen - state.at_end_since >= self._idle_after
        )

    def behind(self, now: float) -> frozenset[str]:
        """Topics that were not at their end in the last `idle_after`: a backlog, or nothing heard of them yet.

        A live topic with a record a second touches its end all the time and is not behind, however old the times in
        its records are; else one late producer would hold the others back for ever.
        """
        return frozenset(
            topic
            for topic, state in self._ends.items()
            if state.last_at_end is None or now - state.last_at_end > self._idle_after
        )

    def lag(self, topic: str, position: int) -> int:
        """Records between the position and the end, as far as is known."""
        offset = self._ends[topic].offset
        return 0 if offset is None else max(0, offset - position)

    def heard(self, topic: str) -> float:
        """When the last fetch response said anything of the topic; before the first, when we began."""
        return self._ends[topic].seen


def held_back(behind: Iterable[str], times: Mapping[str, int], alignment_ms: int) -> frozenset[str]:
    """Topics whose event time is over `alignment_ms` ahead of the slowest topic that is behind.

    A topic that is behind and has no time yet (nothing of it was taken) is the slowest of all.
    """
    slowest: int | None = None
    for topic in behind:
        time = times.get(topic)
        if time is None:
            return frozenset(topic for topic in times)
        if slowest is None or time < slowest:
            slowest = time
    if slowest is None:
        return frozenset()
    return frozenset(topic for topic, time in times.items() if time > slowest + alignment_ms)
