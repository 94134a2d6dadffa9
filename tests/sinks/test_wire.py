"""What comes off the wire is checked to the last number before ClickHouse sees it."""

import msgspec
import pytest

from schemas.rows import SessionRow
from schemas.tables import TABLES
from sinks.wire import WIRE_TABLES, Unreadable
from tests.sinks.making import JANUARY, encode, order, session


def test_a_row_passes_as_the_bytes_it_came_in() -> None:
    wire = encode(session("c:ann", "s:1", version=7))
    checked = WIRE_TABLES["sessions"].check(wire)
    assert checked == (("acme", JANUARY, "c:ann", "s:1"), JANUARY, 7, wire)
    assert WIRE_TABLES["sessions"].body(wire) == wire[3:]  # over 15 columns: a three-byte frame


def test_short_frames_of_small_tables_are_stripped_too() -> None:
    row = [1, JANUARY, 5, 0, 9, 1, 0]
    assert WIRE_TABLES["watermarks"].body(encode(row)) == b"".join(map(encode, row))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("present", 256),
        ("impressions", -1),
        ("impressions", 2**32),
        ("store_date", 2**16),
        ("started_at", -1),
        ("closes_at", 10_413_792_000_000),
        ("version", -1),
        ("present", True),
        ("present", 1.0),
        ("person", b"raw"),
        ("experience_id", "e1"),
        ("experience_id", [None]),
    ],
)
def test_a_value_that_its_column_would_wrap_or_refuse_is_unreadable(field: str, value: object) -> None:
    fields = msgspec.structs.asdict(session())
    with pytest.raises(Unreadable, match=rf"no row of table sessions: .*{field}"):
        WIRE_TABLES["sessions"].check(encode(list({**fields, field: value}.values())))


def test_ranges_reach_into_arrays_of_arrays() -> None:
    good = order("o1", ("p1", 1, 100, "none", ""))
    fields = msgspec.structs.asdict(good)
    fields["adjustment_lines"] = [[2**63]]
    with pytest.raises(Unreadable, match="adjustment_lines"):
        WIRE_TABLES["orders"].check(encode(list(fields.values())))


def test_a_row_of_an_older_worker_gets_the_defaults_of_its_struct() -> None:
    full = encode(session(version=0))
    short = encode(list(msgspec.structs.astuple(session()))[:-2])
    assert WIRE_TABLES["sessions"].check(short).wire == full


def test_a_row_of_a_newer_worker_stops_the_sink() -> None:
    longer = encode([*msgspec.structs.astuple(session()), "unheard of"])
    known = len(SessionRow.__struct_fields__)
    with pytest.raises(Unreadable, match=rf"{known + 1} fields, {known} are known.*upgrade"):
        WIRE_TABLES["sessions"].check(longer)


@pytest.mark.parametrize(
    "wire", [b"", b"\xc1", b"{}", b"\x93\x01", b"\xdc\x00\x20", encode("x"), encode({"a": 1})]
)
def test_garbage_is_unreadable_whatever_it_is(wire: bytes) -> None:
    for table in TABLES:
        with pytest.raises(Unreadable):
            WIRE_TABLES[table].check(wire)
