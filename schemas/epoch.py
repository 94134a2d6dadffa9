"""What passes between the engine and the processors: records in, epochs out, state in between.

The engine (Kafka, transactions, RocksDB) knows nothing of shops; a processor knows nothing of Kafka. They meet here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

NEVER = 0
"""`expires_day` of state that is kept for ever."""

Headers = tuple[tuple[str, bytes], ...]


class SourceRecord(Protocol):
    """A record as read from a source topic. aiokafka's ConsumerRecord is one."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Record(NamedTuple):
    """A source record made by hand: the simulator's, a test's, a file's. Times in epoch milliseconds."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Stored(NamedTuple):
    """A value of state. `expires_day`: the day since 1970 (event time) at whose end it may be forgotten; NEVER = 0."""

    expires_day: int
    value: bytes


class Seen(NamedTuple):
    """Members that joined the set of seen event ids in this epoch: 16-byte digests, one after the other."""

    expires_day: int
    digests: bytes


class Outgoing(NamedTuple):
    """A record for another topic (a dead letter, a forwarded event). `topic` is short: `dead-letter`."""

    topic: str
    key: bytes | None
    value: bytes | None
    timestamp: int | None
    headers: Headers = ()
    partition: int | None = None
    """None: the partition of the epoch itself."""


class Epoch(NamedTuple):
    """Everything that one partition did since the last commit. It becomes visible as a whole, or not at all."""

    meta: bytes
    """The processor's own resume point (watermarks, version clock); handed back to the factory after a restore."""
    state: Mapping[bytes, Stored | None]
    """Key -> value, None = delete. One changelog record each."""
    seen: Sequence[Seen]
    rows: Mapping[str, Sequence[tuple[bytes, bytes]]]
    """Table -> (row key, encoded row); one record each on the rows topic. Order within a table is kept."""
    outgoing: Sequence[Outgoing]
    expire_before_day: int
    """State and seen digests with 0 < `expires_day` < this day may go (the engine deletes them, in bounded steps)."""
    last_rows: Sequence[tuple[str, bytes, bytes]] = ()
    """(table, key, row) written after all other rows of the epoch: the watermark, which promises what is visible."""
    report: bytes | None = None
    """How far this partition is, for the processors of all partitions; None: as it was last told."""


class StateReader(Protocol):
    """The committed state of one partition, plus what epochs still in flight will make of it."""

    def get(self, key: bytes) -> bytes | None:
        """The value alone, without its expiry; None when there is none."""
        ...

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """All keys with this prefix, ascending. Do not hold it across an await."""
        ...

    def seen_among(self, digests: Sequence[bytes]) -> set[bytes]:
        """Those of these 16-byte digests that are in the set of seen event ids: one question for many."""
        ...


class PartitionProcessor(Protocol):
    """One partition's state machine. Synchronous; no I/O but the StateReader; no clock but what `observe` hands in."""

    def observe(self, *, now_ms: int, idle: frozenset[str]) -> None:
        """Tell the wall clock and which source topics (short names) have been at their end for a while.

        Called before every chunk and before every flush. Idle topics do not hold the watermark back.
        """
        ...

    def hear(self, partition: int, report: bytes) -> None:
        """Take a partition's latest committed `Epoch.report`, our own too. Reports of all partitions come in the one
        order in which they were committed; of those before the worker's start, each partition's last."""
        ...

    def process(self, topic: str, records: Sequence[SourceRecord]) -> None:
        """Take a chunk of one topic (short name) in offset order. Bad records become
        dead letters; anything raised is a bug of ours and ends the process."""
        ...

    def flush(self) -> Epoch | None:
        """Everything since the last flush, or None when nothing happened. The caller commits it, or exits."""
        ...

    @property
    def pending(self) -> int:
        """About how many bytes the next flush will hold; the engine cuts an epoch short by it."""
        ...

    def topic_times(self) -> Mapping[str, int]:
        """Short source topic -> largest event time taken so far (ms); for the alignment of topics while catching up."""
        ...

    def counts(self) -> Mapping[tuple[str, str, str], int]:
        """(short topic, bucket, reason) -> records since the last call; for telemetry."""
        ...

    def gauges(self) -> Mapping[str, float]:
        """Telemetry name without prefix -> value now (watermark_ms, floor_ms, cached_people, ...)."""
        ...


ProcessorFactory = Callable[[int, StateReader, bytes | None], PartitionProcessor]
"""(partition, state, meta of the last committed epoch or None) -> processor."""
