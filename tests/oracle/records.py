"""What goes into the oracle and what comes out: raw records, their verdicts, and rows by table and key."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from schemas.rows import BOOKKEEPING, CounterRow, ExposureRow, OrderRow, SessionRow

if TYPE_CHECKING:
    from tests.oracle.model import Event

# In the order of ties (H31).
TOPICS: Final = ("session", "impression", "click", "cart", "order", "journey-node")

Origin = tuple[str, int, int]
"""(short topic, partition, offset)"""
RowKey = tuple[str | int, ...]
Rows = dict[str, dict[RowKey, Any]]
"""table -> key of the row -> row struct, with the bookkeeping columns at 0."""


class RawRecord(NamedTuple):
    """A record of a source topic as Kafka hands it over. `topic` is the short name; the time is epoch ms or None."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int | None
    key: bytes | None
    value: bytes | None

    @property
    def origin(self) -> Origin:
        """What names the record: (topic, partition, offset)."""
        return (self.topic, self.partition, self.offset)

    @property
    def timestamp(self) -> int:
        """The timestamp as Kafka's clients spell it: -1 where there is none."""
        return -1 if self.timestamp_ms is None else self.timestamp_ms

    @property
    def headers(self) -> tuple[tuple[str, bytes], ...]:
        """None of our records has any."""
        return ()


class Verdict(NamedTuple):
    """The one bucket a record ends in; for a dead letter the reason and the path of the field."""

    bucket: str
    reason: str = ""
    field: str = ""


ACCEPTED: Final = Verdict("accepted")
DUPLICATE: Final = Verdict("duplicate")
TEST_TRAFFIC: Final = Verdict("test_traffic")
TOO_LATE: Final = Verdict("too_late", "too_late")


@dataclass
class OracleResult:
    """Rows as the tables should hold them, the verdict of every record, and the events that were accepted."""

    rows: Rows = field(default_factory=lambda: {table: {} for table in KEYS})
    verdicts: dict[Origin, Verdict] = field(default_factory=dict)
    accepted: "list[Event]" = field(default_factory=list)


KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "sessions": ("store_id", "person", "session_key"),
    "exposures": ("store_id", "person", "session_key", "widget_id"),
    "orders": ("store_id", "order_id"),
    "counters": ("store_id", "window_seconds", "window_start", "channel", "partition"),
}
"""The tables the oracle fills, and what identifies a row of each."""


def row_key(table: str, row: Struct) -> RowKey:
    """The row's key: values of the table's key columns."""
    return tuple(getattr(row, name) for name in KEYS[table])


def put(rows: Rows, table: str, row: SessionRow | ExposureRow | OrderRow | CounterRow) -> None:
    """Add a row. ValueError if its key is taken: two rows of one key would hide each other."""
    key = row_key(table, row)
    if key in rows[table]:
        raise ValueError(f"{table}: two rows for {key}; the oracle made one fact twice")
    rows[table][key] = row


def fold_rows(written: Iterable[tuple[str, Struct]]) -> Rows:
    """Rows as a pipeline wrote them, (table, row) in any order -> what a reader of the tables sees.

    The highest version of a key wins (the later one of two equals), deleted rows go, counters are summed over
    partitions and stand under partition 0. Other tables are left out. Bookkeeping columns are set to 0.
    """
    latest: dict[tuple[str, RowKey], Any] = {}
    for table, row in written:
        if table not in KEYS:
            continue
        place, version = (table, row_key(table, row)), _version(row)
        if place not in latest or version >= _version(latest[place]):
            latest[place] = row
    rows: Rows = {table: {} for table in KEYS}
    sums: dict[RowKey, dict[str, int]] = {}
    for (table, key), row in latest.items():
        if row.is_deleted:
            continue
        if table == "counters":
            window = sums.setdefault((*key[:-1], 0), {})
            for measure, value in zip(row.measures, row.values, strict=True):
                window[measure] = window.get(measure, 0) + value
        else:
            rows[table][key] = msgspec.structs.replace(row, **dict.fromkeys(BOOKKEEPING, 0))
    for window_key, window in sums.items():
        if counted := {measure: value for measure, value in sorted(window.items()) if value}:
            rows["counters"][window_key] = counter_row(window_key, counted)
    return rows


def _version(row: Any) -> int:
    return int(row.version)


def counter_row(key: RowKey, counted: Mapping[str, int]) -> CounterRow:
    """The row of a window: `counted` is measure -> value, ascending."""
    store_id, seconds, start, channel, partition = key
    return CounterRow(
        store_id=str(store_id),
        window_seconds=int(seconds),
        window_start=int(start),
        channel=str(channel),
        partition=int(partition),
        born=0,
        measures=list(counted),
        values=list(counted.values()),
    )
