"""Rows as they come from the rows topic: checked to the last number, then passed on as the bytes they are.

ClickHouse wraps an integer that is too large, and reads MessagePack rows one value after the other without a frame: a row
with one field too few would shift every row behind it. So nothing reaches an insert that was not decoded here first.
"""

import re
from collections.abc import Callable
from operator import attrgetter
from typing import Annotated, Any, Final, NamedTuple, get_type_hints

import msgspec
from msgspec import Meta, Struct

from schemas.columns import clickhouse_type
from schemas.tables import TABLES, Table, month_of

INT64_MAX: Final = 2**63 - 1
# DateTime64(3) ends with the year 2299; Date is 16 bits.
_RANGES: Final = {
    "UInt8": (0, 2**8 - 1),
    "UInt16": (0, 2**16 - 1),
    "UInt32": (0, 2**32 - 1),
    "UInt64": (0, None),  # MessagePack has no larger integer
    "Int64": (-INT64_MAX - 1, INT64_MAX),
    "Date": (0, 2**16 - 1),
    "DateTime64(3, 'UTC')": (0, 10_413_791_999_999),
}


class Unreadable(ValueError):
    """A record of a rows topic is no row of its table. It says what is wrong, not where it was read."""


class Checked(NamedTuple):
    """A row that will fit its table."""

    key: Any
    """What identifies the row in its table; hashable."""
    month: int
    version: int
    wire: bytes


class WireTable:
    """The reader of one table's wire rows."""

    def __init__(self, table: Table) -> None:
        self.name: Final = table.name
        self.columns: Final = tuple(column.name for column in table.columns)
        self.header: Final = _array_header(len(self.columns))
        self._table = table
        # With the day, where rows lie by it: an order that moved is withdrawn under one and lives under another.
        self._key: Callable[[Any], Any] = attrgetter(*table.order)
        self._decode = msgspec.msgpack.Decoder(_bounded(table)).decode
        self._encode = msgspec.msgpack.Encoder().encode

    def check(self, wire: bytes) -> Checked:
        """Decode and bound every value. A row with fewer fields at its end gets the defaults of its struct.

        Raises Unreadable naming the field.
        """
        try:
            row: Any = self._decode(wire)
        # msgspec raises UnicodeDecodeError and RecursionError too, besides its own.
        except Exception as error:
            raise Unreadable(f"no row of table {self.name}: {self._named(error)}") from None
        if not wire.startswith(self.header):
            if _array_length(wire) > len(self.columns):
                raise Unreadable(
                    f"a row of table {self.name} with {_array_length(wire)} fields, {len(self.columns)} are known:"
                    " it was written by a newer Shopmeter; upgrade the sink"
                )
            wire = self._encode(row)
        return Checked(self._key(row), month_of(row.born), row.version, wire)

    def _named(self, error: Exception) -> str:
        """msgspec knows the field's position, a reader of the message its name."""
        return re.sub(r"\$\[(\d+)\]", lambda found: self.columns[int(found[1])], str(error))

    def body(self, wire: bytes) -> bytes:
        """The row without its frame: the values one after the other, as ClickHouse's MsgPack format reads them."""
        return wire[len(self.header) :]


def _bounded(table: Table) -> type[Struct]:
    """The row struct with the ranges of its column types, so that decoding is checking."""
    hints = get_type_hints(table.row, include_extras=True)
    defaults = dict(
        zip(reversed(table.row.__struct_fields__), reversed(table.row.__struct_defaults__), strict=False)
    )
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for name in table.row.__struct_fields__:
        annotation = _bounded_type(clickhouse_type(hints[name]), hints[name])
        fields.append((name, annotation, defaults[name]) if name in defaults else (name, annotation))
    return msgspec.defstruct(f"Wire{table.row.__name__}", fields, array_like=True, gc=False)


def _bounded_type(column: str, annotation: Any) -> Any:
    if column.startswith("Array("):
        inner = annotation.__origin__.__args__[0]
        return list[_bounded_type(column[6:-1], Annotated[inner, None])]  # type: ignore[misc]
    if column in _RANGES:
        low, high = _RANGES[column]
        return Annotated[int, Meta(ge=low) if high is None else Meta(ge=low, le=high)]
    return annotation.__origin__


def _array_header(length: int) -> bytes:
    return bytes((0x90 | length,)) if length < 16 else b"\xdc" + length.to_bytes(2, "big")


def _array_length(wire: bytes) -> int:
    """Of a value that decoded as an array."""
    first = wire[0]
    if first < 0xDC:
        return first & 0x0F
    return int.from_bytes(wire[1:3] if first == 0xDC else wire[1:5], "big")


WIRE_TABLES: Final = {name: WireTable(table) for name, table in TABLES.items()}
