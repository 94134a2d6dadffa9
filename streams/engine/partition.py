"""One partition number of all source topics: its processor, its state, its positions, and the epoch it is filling.

Synchronous. What is processed and what may be committed change in the same step, so they can't disagree.
"""

import time
from collections.abc import Mapping
from typing import Any, Final

from schemas.epoch import PartitionProcessor
from schemas.topics import INPUTS, TIMELESS
from streams import failpoints
from streams.engine.chunks import Chunk, Positions
from streams.engine.ends import End, TopicEnds, held_back
from streams.engine.epochs import Cut
from streams.engine.fetching import seconds
from streams.engine.options import EngineOptions
from streams.engine.pace import Pace
from streams.engine.state import StateStore, new_life

# A chunk may span so many times what alignment lets a topic be ahead: a smaller one costs more than it saves.
ALIGNMENTS_A_CHUNK: Final = 12
FIRST_CHUNK_RECORDS: Final = 100
LEAST_CHUNK_RECORDS: Final = 50
# Of a backlog, nobody waits for the newest row. An epoch of so many intervals writes sessions and people less often that
# would have gone on in the next one: three rows where there were four. A busy live topic counts too, since more comes on
# the way to its end: with short epochs 5,000 events a second took all of two cores, and queued longer than these last.
CATCH_UP_INTERVALS: Final = 4


class Partition:
    """Live from the end of its restore until it is revoked."""

    def __init__(
        self,
        number: int,
        *,
        processor: PartitionProcessor,
        store: StateStore,
        producer: Any,
        begin: Mapping[str, int],
        options: EngineOptions,
        pace: Pace,
    ) -> None:
        self.number = number
        self.topics = INPUTS
        self.processor = processor
        self.store = store
        self.producer = producer
        self.positions = Positions(begin)
        self.ends = TopicEnds(INPUTS, idle_after=seconds(options.idle_after_ms), now=time.monotonic())
        self._options = options
        self._pace = pace
        self._epoch_number = store.meta.number if store.meta else 0
        self._life = new_life(store.meta)
        self._taken_ms = 0
        self._records = 0
        self._sizes: dict[str, int] = {}
        self._queued: dict[str, int] = {}
        self._first_chunk_at: float | None = None
        self._idle: frozenset[str] = frozenset()
        self.flushed_at = time.monotonic()
        """When the last epoch was cut."""
        self.progress_at = time.monotonic()
        """When this partition last committed, or last had nothing to do."""

    def take(self, chunk: Chunk, now_ms: int) -> None:
        """Process a chunk and make its end committable. Anything raised must end the process."""
        self.positions.check(chunk)
        if chunk.records:
            self.processor.observe(now_ms=now_ms, idle=self.ends.idle(self._taken_ms))
            # Not the latest of all: behind a clock that was set back no topic would be idle until it has caught up.
            self._taken_ms = chunk.taken_ms
            before = self.processor.topic_times().get(chunk.topic)
            self.processor.process(chunk.topic, chunk.records)
            self._records += len(chunk.records)
            self._size_next(chunk, before)
            if self._first_chunk_at is None:
                self._first_chunk_at = time.monotonic()
        failpoints.reach("chunk.taken")
        self.positions.finish(chunk)

    def queued(self, chunk: Chunk) -> None:
        """The chunk is on its way to `take`."""
        self._queued[chunk.topic] = chunk.end

    def must_settle(self, now: float) -> bool:
        """Does it catch up, with chunks on their way?"""
        if not self.ends.behind(now) - TIMELESS:
            return False
        return any(self.positions[topic] < end for topic, end in self._queued.items())

    def chunk_size(self, topic: str) -> int:
        """How many records the next chunk of a topic (short) may have."""
        return min(self._sizes.get(topic, FIRST_CHUNK_RECORDS), self._pace.chunk_records)

    def _size_next(self, chunk: Chunk, before: int | None) -> None:
        """Let the next chunk of the topic span about as much event time as alignment bears.

        A thin topic's backlog of weeks fits into one chunk. Taken at once, its events would be applied long before
        those of the other topics that they belong to, and looked at again with each of these.
        """
        times = self.processor.topic_times()
        size, taken = self.chunk_size(chunk.topic), len(chunk.records)
        after = times.get(chunk.topic)
        span = after - before if after is not None and before is not None else 0
        bound = ALIGNMENTS_A_CHUNK * self._options.alignment_ms
        if span > bound:
            size = max(LEAST_CHUNK_RECORDS, taken * bound // span)
        elif taken >= size:
            size *= 2
        self._sizes[chunk.topic] = min(size, self._options.chunk_max_records)

    def gauges(self) -> Mapping[str, float]:
        """The processor's gauges, and the size of the state."""
        return {**self.processor.gauges(), "state_keys": self.store.key_estimate}

    @property
    def is_full(self) -> bool:
        """The next epoch has reached a size bound."""
        options = self._options
        return self._records >= self._pace.epoch_records or self.processor.pending >= options.epoch_max_bytes

    def is_due(self) -> bool:
        """Is there anything to flush: records, a topic that became idle, or just a while without a flush?"""
        now = time.monotonic()
        interval = seconds(self._options.epoch_interval_ms)
        if self._first_chunk_at is not None:
            if self._catches_up(now):
                return now - self._first_chunk_at >= CATCH_UP_INTERVALS * interval
            # From cut to cut: what comes after a while of nothing need not wait.
            return now - self.flushed_at >= interval
        if self.ends.idle(self._taken_ms) != self._idle:
            return now - self.flushed_at >= interval
        # Time passes for the processor too, even when nothing comes.
        return now - self.flushed_at >= seconds(self._options.idle_after_ms)

    def _catches_up(self, now: float) -> bool:
        """Has a topic been away from its end for a while, with records known to wait in it?"""
        return any(self.ends.lag(topic, self.positions[topic]) > 0 for topic in self.ends.behind(now))

    def cut(self, now_ms: int) -> Cut | None:
        """Step 1 of an epoch: flush and offsets in one synchronous step. None when nothing happened."""
        idle = self.ends.idle(self._taken_ms)
        self.processor.observe(now_ms=now_ms, idle=idle)
        epoch = self.processor.flush()
        self._idle = idle
        now = self.flushed_at = time.monotonic()
        first_chunk_at, self._first_chunk_at = self._first_chunk_at, None
        records, self._records = self._records, 0
        if epoch is None:
            # Nothing to write is no progress while records wait: a fetch that hangs would never be noticed.
            if not self.has_lag(self.held_back(now)):
                self.progress_at = now
            return None
        offsets = self.positions.committable()
        expired: list[bytes] = []
        if epoch.expire_before_day > 0:
            expired = self.store.expired(epoch.expire_before_day, self._options.expire_step)
        self._epoch_number += 1
        pending = self.store.begin(
            epoch, number=self._epoch_number, offsets=offsets, expired=expired, life=self._life
        )
        newest_ms = max(self.processor.topic_times().values(), default=0)
        return Cut(
            epoch, pending, offsets, self.processor.counts(), first_chunk_at or now, newest_ms, records
        )

    def committed(self, cut: Cut, changelog_offset: int) -> None:
        """Step 5: the epoch's transaction is committed, write the local store."""
        self.store.commit(cut.pending, changelog_offset)
        failpoints.reach("epoch.stored")
        now = time.monotonic()
        # An idle partition says every while that it is idle: while records wait that nobody fetches, that is none.
        if cut.records or not self.has_lag(self.held_back(now)):
            self.progress_at = now

    def note_end(self, topic: str, end: End | None, now: float) -> None:
        """Take note of a fetch response; once for each topic a turn, also without one."""
        self.ends.observe(topic, self.positions[topic], end, now)

    def held_back(self, now: float) -> frozenset[str]:
        """Topics (short) that must wait for slower ones while the partition catches up."""
        behind = self.ends.behind(now) - TIMELESS
        if not behind:
            return behind
        return held_back(behind, self.processor.topic_times(), self._options.alignment_ms) - TIMELESS

    def has_lag(self, held: frozenset[str]) -> bool:
        """Are records known to wait in a topic that is not held back, or processed and not flushed?

        They may wait, too, in one of which nothing was heard for long: then nobody knows. Reads only, and nothing of the
        processor's: the watchdog asks from its thread.
        """
        if self._first_chunk_at is not None:
            return True
        silent = time.monotonic() - seconds(self._options.stuck_after_ms)
        return any(
            self.ends.lag(topic, self.positions[topic]) > 0 or self.ends.heard(topic) < silent
            for topic in INPUTS
            if topic not in held
        )
