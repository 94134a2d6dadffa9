"""Chunks: the runs of records that a partition takes at once, and the positions that say none was skipped.

Faust carries all chunks of a fetch as one message, so its cost (a queue put, an event, a switch of tasks) is paid per
thousands of records. A chunk says where the consumer stood before and after it. Transaction markers and compaction leave
holes in the offsets legitimately, so not the offsets but these positions must join without a gap.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from schemas.epoch import SourceRecord
from streams.engine.options import BrokenAssumption


class Chunk(NamedTuple):
    """Records [begin, end) of a source topic's partition, in offset order; empty when only markers lie there."""

    topic: str
    """Short name."""
    partition: int
    begin: int
    end: int
    records: Sequence[SourceRecord]
    assignment: int
    """The assignment it was fetched under. A chunk of an earlier one is dropped: it is read again by whoever owns it."""
    taken_ms: int = 0
    """Wall clock when it was taken from what was fetched."""


class Positions:
    """Next offset to take of each source topic of one partition: what is finished, without holes."""

    def __init__(self, begin: Mapping[str, int]) -> None:
        self._next = dict(begin)

    def check(self, chunk: Chunk) -> None:
        """Raise BrokenAssumption unless the chunk begins exactly where the last one of its topic ended."""
        expected = self._next.get(chunk.topic)
        if expected is None:
            raise BrokenAssumption(
                f"{chunk.topic}/{chunk.partition}: a chunk of a topic that was not assigned"
            )
        if chunk.begin != expected or chunk.end < chunk.begin:
            raise BrokenAssumption(
                f"{chunk.topic}/{chunk.partition}: a chunk covers offsets {chunk.begin} to {chunk.end}, but offset"
                f" {expected} is next; records were skipped or came twice between fetch and processing;"
                " a restart reads them again"
            )
        if chunk.records and not (
            chunk.begin <= chunk.records[0].offset <= chunk.records[-1].offset < chunk.end
        ):
            raise BrokenAssumption(
                f"{chunk.topic}/{chunk.partition}: records {chunk.records[0].offset} to {chunk.records[-1].offset}"
                f" lie outside of their chunk {chunk.begin} to {chunk.end}"
            )

    def finish(self, chunk: Chunk) -> None:
        """The chunk is processed: its end may be committed."""
        self._next[chunk.topic] = chunk.end

    def __getitem__(self, topic: str) -> int:
        return self._next[topic]

    def committable(self) -> dict[str, int]:
        """Short topic -> the offset to go on from. A copy: later chunks do not change an epoch that was cut."""
        return dict(self._next)
