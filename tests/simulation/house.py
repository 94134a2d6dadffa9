"""A ClickHouse of ReplacingMergeTrees, and what must hold for it at every moment.

Three promises are checked as rows come in: a version of a key never has two contents; a watermark row is visible only
after every row that its partition committed before it (dead letters are no part of an answer); sinks commit no offset
whose row is not visible.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from schemas.tables import TABLES
from schemas.topics import Topics, table_of
from sinks.base import Batch
from sinks.clickhouse import classified
from sinks.dead_letters import dead_letter_row
from sinks.wire import WIRE_TABLES
from tests.oracle.records import Rows, fold_rows
from tests.simulation.log import Broker, Place, Transaction
from tests.simulation.stage import Process, Stage

WATERMARKS = "watermarks"
DECODE: Final[dict[str, Callable[[bytes], Any]]] = {
    name: msgspec.msgpack.Decoder(table.row).decode for name, table in TABLES.items()
}
_encode = msgspec.msgpack.Encoder().encode

RowPlace = tuple[str, Any]
"""(table, key)"""


def lost_or_refused(what: str) -> Exception:
    """An insert that failed on the way: nobody knows whether it was stored."""
    return classified(ConnectionResetError("connection reset"), what)


class House:
    """Tables as a reader with FINAL sees them, and the promises."""

    def __init__(self, stage: Stage, broker: Broker, topics: Topics) -> None:
        self._stage, self._broker = stage, broker
        self._tables: dict[str, dict[tuple[Any, int], tuple[int, bytes]]] = {name: {} for name in TABLES}
        """Table -> (key, day or month it was born) -> version, row: within these a version replaces another."""
        self._newest: dict[RowPlace, int] = {}
        self._rows, self._dead_letters = topics.rows, topics.dead_letter
        self._topics = topics.sunk
        self._owed: dict[int, list[tuple[int, RowPlace, int]]] = {}
        """Partition -> (version of the epoch, row, its version), committed there and not yet promised by a watermark."""
        self._checked: dict[Place, int] = {}
        self.claims: list[tuple[int, int, dict[Any, Any]]] = []
        """(partition, watermark, what the partition's counters said when it became visible)."""
        broker.on_commit = self.owe

    # --- what the sinks do --------------------------------------------------------------------------------------

    def apply(self, batch: Batch) -> None:
        """Insert a block."""
        table = WIRE_TABLES[batch.table]
        for wire in batch.rows:
            row = table.check(wire)
            if row.month != batch.month:
                self._stage.find(f"{batch.table} {row.key}: month {row.month} in a batch of {batch.month}")
            born = DECODE[batch.table](row.wire).born if TABLES[batch.table].by_day else row.month
            self._put(batch.table, row.key, born, row.version, row.wire)
        if batch.table == WATERMARKS:
            for wire in batch.rows:
                self._judge_watermark(DECODE[WATERMARKS](wire))

    def _put(self, table: str, key: Any, born: int, version: int, wire: bytes) -> None:
        stored = self._tables[table]
        old = stored.get((key, born))
        if old is not None and version == old[0] and wire != old[1]:
            self._stage.find(
                f"{table} {key}: version {version} has two contents, {DECODE[table](old[1])} and {DECODE[table](wire)}"
            )
        if old is None or version >= old[0]:
            stored[key, born] = (version, wire)
            self._newest[table, key] = max(version, self._newest.get((table, key), 0))

    def _is_visible(self, table: str, key: Any, version: int) -> bool:
        return self._newest.get((table, key), 0) >= version

    # --- what is promised ---------------------------------------------------------------------------------------

    def owe(self, transaction: Transaction) -> None:
        """A transaction is committed: its rows are owed before its watermark may be seen."""
        found: dict[int, list[tuple[RowPlace, int]]] = {}
        epoch: dict[int, int] = {}
        for place, first in transaction.places.items():
            if place[0] != self._rows:
                continue
            for record, owner in self._broker.log(place).entries[first:]:
                if owner is transaction and record is not None:
                    table, key, version = self._row(place, record)
                    if table == WATERMARKS:
                        epoch[place[1]] = version
                    else:
                        found.setdefault(place[1], []).append(((table, key), version))
        for partition, rows in found.items():
            if partition not in epoch:
                self._stage.find(f"an epoch of partition {partition} has rows and no watermark: {rows[0]}")
                continue
            self._owed.setdefault(partition, []).extend((epoch[partition], *row) for row in rows)

    def _row(self, place: Place, record: Any) -> tuple[str, Any, int]:
        table, value = table_of(record.key), record.value
        if place[0] == self._dead_letters:
            table = "dead_letters"
            value = _encode(
                dead_letter_row(
                    partition=place[1],
                    offset=record.offset,
                    timestamp=record.timestamp,
                    key=record.key,
                    value=record.value,
                    headers=record.headers,
                )
            )
        row = WIRE_TABLES[table].check(value)
        return table, row.key, row.version

    def _judge_watermark(self, row: Any) -> None:
        owed = self._owed.get(row.partition, [])
        for epoch, (table, key), version in owed:
            if epoch <= row.version and not self._is_visible(table, key, version):
                self._stage.find(
                    f"watermark of partition {row.partition}, version {row.version}, is visible before"
                    f" {table} {key} of version {version}"
                )
        self._owed[row.partition] = [one for one in owed if one[0] > row.version]
        counters = {
            key: wire for (key, _), (_, wire) in self._tables["counters"].items() if key[4] == row.partition
        }
        self.claims.append((row.partition, row.watermark, counters))

    def judge_commit(self, place: Place, offset: int) -> None:
        """A sink commits: everything before must be visible."""
        if place[0] not in self._topics:
            return
        checked = self._checked.get(place, 0)
        if offset <= checked:
            return
        for record in self._broker.log(place).committed(checked):
            if record.offset >= offset:
                break
            table, key, version = self._row(place, record)
            if not self._is_visible(table, key, version):
                self._stage.find(
                    f"{place} is committed up to {offset}, but {record.offset} is not visible: {key}"
                )
        self._checked[place] = offset

    def hidden(self, partitions: int) -> str:
        """The first committed record that is not visible yet; empty when all are."""
        for topic in self._topics:
            for partition in range(partitions):
                place = (topic, partition)
                for record in self._broker.log(place).committed(self._checked.get(place, 0)):
                    if not self._is_visible(*self._row(place, record)):
                        return f"{topic}/{partition}/{record.offset}"
        return ""

    # --- what a reader sees -------------------------------------------------------------------------------------

    def rows(self) -> Rows:
        """All tables that the oracle fills."""
        visible: set[RowPlace] = set()
        for table, stored in self._tables.items():
            for (key, born), (_, wire) in stored.items():
                if not DECODE[table](wire).is_deleted:
                    if (table, key) in visible:
                        self._stage.find(f"{table} {key}: visible under {born} and another day or month")
                    visible.add((table, key))
        return fold_rows((table, row) for table in self._tables for row in self.read(table))

    def read(self, table: str) -> list[Any]:
        """The visible rows of a table."""
        return [DECODE[table](wire) for _, wire in self._tables[table].values()]


class HouseSink:
    """One sink process's way there; see sinks.base.Sink."""

    def __init__(self, stage: Stage, process: Process, house: House) -> None:
        self._stage, self._process, self._house = stage, process, house

    async def write(self, batch: Batch) -> None:
        """An insert that may fail before, or after it was stored."""
        what = f"insert {len(batch.rows)} {batch.table}"
        await self._stage.io(self._process, what, lambda: self._house.apply(batch), error=lost_or_refused)

    async def close(self) -> None:
        """Nothing to give back."""
