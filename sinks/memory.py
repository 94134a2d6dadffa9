"""A sink in memory that behaves as the tables do when read with FINAL. For tests and tools; no limits, no persistence."""

from typing import Any

import msgspec
from msgspec import Struct

from schemas.tables import TABLES
from sinks.base import Batch, Rejected
from sinks.wire import WIRE_TABLES, Unreadable


class MemorySink:
    """Upsert by key, the higher version wins (of equal ones the last written), `is_deleted` hides."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[Any, Struct]] = {name: {} for name in TABLES}
        self._decoders = {name: msgspec.msgpack.Decoder(table.row) for name, table in TABLES.items()}

    async def write(self, batch: Batch) -> None:
        """Store all rows, or none: Rejected names the first that is no row of its table and month."""
        if batch.table not in self._tables:
            raise Rejected(
                f"table {batch.table} does not exist; known are {', '.join(self._tables)}", code=60
            )
        checked = []
        for wire in batch.rows:
            try:
                row = WIRE_TABLES[batch.table].check(wire)
            except Unreadable as error:
                raise Rejected(str(error), code=53) from None
            if row.month != batch.month:
                raise Rejected(f"a row of month {row.month} in a batch of {batch.month}, table {batch.table}")
            checked.append(row)
        stored = self._tables[batch.table]
        for row in checked:
            old: Any = stored.get(row.key)
            if old is None or row.version >= old.version:
                stored[row.key] = self._decoders[batch.table].decode(row.wire)

    async def close(self) -> None:
        """Nothing to give back; the rows stay readable."""

    def rows(self, table: str) -> list[Any]:
        """The visible rows of a table as structs, ordered by key."""
        return [row for _, row in sorted(self._tables[table].items()) if not row.is_deleted]  # type: ignore[attr-defined]
