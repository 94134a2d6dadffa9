"""Sessions made from idle gaps: the spans of a person's events in one channel, which late events extend and bridge."""

from bisect import bisect_right
from typing import NamedTuple

Span = list[int]  # [start, end], both inclusive, ms


def made_key(channel: str, start: int) -> str:
    """The key of a made session; its start is part of it, so an earlier event gives it a new key."""
    return f"g:{channel}:{start}"


class Placed(NamedTuple):
    """Where an event fell: the start of its span now, and the starts of spans that this has made void."""

    start: int
    void: tuple[int, ...] = ()


def place(spans: list[Span], at: int, timeout: int) -> Placed:
    """Put an event at `at` into the ascending `spans`: a new one when every gap is greater than `timeout` (H33)."""
    if spans:
        last = spans[-1]
        if last[0] <= at <= last[1] + timeout:  # nearly always: it goes on from the newest span
            if at > last[1]:
                last[1] = at
            return Placed(last[0])
    index = bisect_right(spans, at, key=_start)
    before = spans[index - 1] if index and spans[index - 1][1] + timeout >= at else None
    after = spans[index] if index < len(spans) and spans[index][0] - timeout <= at else None
    if before is not None and after is not None:
        before[1] = after[1]
        del spans[index]
        return Placed(before[0], (after[0],))
    if before is not None:
        before[1] = max(before[1], at)
        return Placed(before[0])
    if after is not None:
        old = after[0]
        after[0] = at
        return Placed(at, (old,))
    spans.insert(index, [at, at])
    return Placed(at)


def start_of(spans: list[Span], at: int) -> int | None:
    """The start of the span that holds `at`; None when none does."""
    index = bisect_right(spans, at, key=_start)
    if index and spans[index - 1][1] >= at:
        return spans[index - 1][0]
    return None


def _start(span: Span) -> int:
    return span[0]
