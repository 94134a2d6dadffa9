"""Records of the rows topic gathered into batches: by table and month, the highest version of each key, bounded memory.

A row that was written ten times since the last flush is inserted once. That is an economy, not a guarantee: the table
itself lets the higher version win.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from sinks.base import Batch
from sinks.wire import WIRE_TABLES, Unreadable

# A key, its entry and its place in a dict, beside the row's own bytes: what a held row costs in memory, about.
ROW_OVERHEAD_BYTES: Final = 400


class Origin(NamedTuple):
    """Where a row was read."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class Held(NamedTuple):
    """A row that waits for its insert."""

    version: int
    wire: bytes
    origin: Origin


class BadRow(Exception):
    """A record of the rows topic that is no row. Rows are ours alone, so it is a bug or a stranger's write: stop."""


class RowBuffer:
    """What was read since the last flush. Not more than about `max_bytes` as long as the caller heeds `full`."""

    def __init__(self, *, max_rows: int, max_bytes: int) -> None:
        if max_rows < 1 or max_bytes < 1:
            raise ValueError(
                f"a buffer of {max_rows} rows and {max_bytes} bytes holds nothing; both must be positive"
            )
        self.max_rows: Final = max_rows
        self.max_bytes: Final = max_bytes
        self._groups: dict[tuple[str, int], dict[Any, Held]] = {}
        self.rows = 0
        self.bytes = 0

    def add(self, table: str, wire: bytes | None, origin: Origin) -> None:
        """Take a wire row. Raises BadRow, naming the record."""
        if wire is None:
            raise BadRow(f"{origin}: a tombstone; a row is withdrawn by is_deleted, see docs/runbook.md")
        known = WIRE_TABLES.get(table)
        if known is None:
            raise BadRow(
                f"{origin}: its key names no table that is known here; a newer Shopmeter's? upgrade the sink"
            )
        try:
            key, month, version, wire = known.check(wire)
        except Unreadable as error:
            raise BadRow(f"{origin}: {error}") from None
        group = self._groups.setdefault((table, month), {})
        held = group.get(key)
        if held is None:
            self.rows += 1
            self.bytes += len(wire) + ROW_OVERHEAD_BYTES
        elif version < held.version:
            return
        else:
            # An equal version was written later on the same topic: the later one stays, as in the table.
            self.bytes += len(wire) - len(held.wire)
        group[key] = Held(version, wire, origin)

    @property
    def full(self) -> bool:
        """Flush before adding more."""
        return self.rows >= self.max_rows or self.bytes >= self.max_bytes

    def take(self) -> Iterator[tuple[Batch, list[Origin]]]:
        """Everything held, one batch for each table and month, with the origin of each row; the buffer is empty then."""
        groups, self._groups = self._groups, {}
        self.rows = self.bytes = 0
        for (table, month), group in groups.items():
            held = list(group.values())
            yield Batch(table, month, [row.wire for row in held]), [row.origin for row in held]

    def clear(self) -> None:
        """Forget everything: the partitions were taken away, and whoever has them now reads the records again."""
        self._groups = {}
        self.rows = self.bytes = 0
