"""What every sink keeps: the memory sink and the real ClickHouse pass the same tests."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from schemas.rows import DeadLetterRow, InterventionRow, LinkRow
from schemas.tables import TABLES
from sinks.base import Batch, Rejected, Sink
from sinks.clickhouse import Address, ClickHouseSink
from sinks.memory import MemorySink
from sinks.migrate import migrate
from tests.sinks.making import (
    FEBRUARY,
    JANUARY,
    adjusted,
    at,
    counter,
    definition,
    encode,
    exposure,
    goals,
    journey,
    notification,
    order,
    session,
    watermark,
)
from tests.sinks.reading import TABLE_OF, batches_of


@dataclass
class Stored:
    """A sink under test, and how its visible rows are read."""

    sink: Sink
    client: Any = None

    async def put(self, *rows: Any) -> None:
        for batch in batches_of(*rows):
            await self.sink.write(batch)

    def rows(self, table: str) -> list[Any]:
        """Visible rows as structs, ordered by key."""
        if isinstance(self.sink, MemorySink):
            return self.sink.rows(table)
        key = ", ".join(TABLES[table].key)
        columns = ", ".join(_plain(column.name, column.type) for column in TABLES[table].columns)
        answer = self.client.raw_query(f"SELECT {columns} FROM {table} FINAL ORDER BY {key}", fmt="MsgPack")
        count = self.client.query(f"SELECT count() FROM {table} FINAL").result_rows[0][0]
        return _structs(answer, table, count)


def _plain(name: str, type_: str) -> str:
    return {
        "Date": f"toUInt16({name})",
        "Array(Date)": f"arrayMap(day -> toUInt16(day), {name})",
        "DateTime64(3, 'UTC')": f"toUnixTimestamp64Milli({name})",
        "Array(DateTime64(3, 'UTC'))": f"arrayMap(at -> toUnixTimestamp64Milli(at), {name})",
    }.get(type_, name)


def _structs(answer: bytes, table: str, count: int) -> list[Any]:
    row = TABLES[table].row
    width = len(row.__struct_fields__)
    # The engine writes all values one after the other; with a frame in front they are one array.
    values = msgspec.msgpack.decode(b"\xdd" + (count * width).to_bytes(4, "big") + answer)
    found = [values[start : start + width] for start in range(0, len(values), width)]
    return [msgspec.convert(_as_sent(fields, row), row) for fields in found]


def _as_sent(fields: list[Any], row: type[msgspec.Struct]) -> list[Any]:
    """The engine writes every String as bytes."""
    raw = {"key", "value", "header_values"} if row is DeadLetterRow else set()

    def text(value: Any) -> Any:
        if isinstance(value, bytes):
            return value.decode()
        return [text(item) for item in value] if isinstance(value, list) else value

    names = row.__struct_fields__
    return [value if name in raw else text(value) for name, value in zip(names, fields, strict=True)]


@pytest.fixture(params=["memory", "clickhouse"])
async def stored(request: pytest.FixtureRequest) -> AsyncIterator[Stored]:
    if request.param == "memory":
        yield Stored(MemorySink())
        return
    endpoint = request.getfixturevalue("clickhouse")
    address = Address(endpoint.url, f"test_{uuid4().hex[:12]}")
    migrate(address, {})
    client = endpoint.client(address.database)
    sink = ClickHouseSink(address)
    try:
        yield Stored(sink, client)
    finally:
        await sink.close()
        client.command(f"DROP DATABASE {address.database} SYNC")
        client.close()


ONE_OF_EACH = (
    session("c:änn\x00", "s:\n'", experience_id=["e1", "e2"], started_at=4_102_444_799_999, version=2**64 - 1),
    session("c:goals", **goals(("g1", "", 1, None), ("purchase", "e1", 2, 2**63 - 1))),
    journey("x1", 3, started_at=at(1), terminal_at=at(2), terminal_kind="end", goal_at=at(3)),
    notification("m1", "c:ann", 2),
    LinkRow("acme", "x\x00", 4_102_444_799_999, JANUARY, "änn", 2**64 - 1),
    InterventionRow("skip", "order", 3, 2**64 - 1, JANUARY, 1, 2),
    definition("experience", "e1", 4_102_444_799_999, "active", name="Änne\x00"),
    exposure(shown_dates=[JANUARY, JANUARY + 1], shown_channels=["web", "app"], shown_at=[1, 2]),
    order(
        "o1",
        ("p1", 2, 2**62, "direct", "top"),
        ("p2", 1, 0, "none", ""),
        **adjusted(("refund", "r1", 2, 5, [5, 0]), ("cancel", "", 3, 7, [3, 4])),
        total=-(2**63),
        tax=2**63 - 1,
    ),
    counter(3, {"adds": 2**64 - 1, "clicks": 0}),
    watermark(5, 4_102_444_799_999, idle=1),
    DeadLetterRow(
        "order", 1, 2**64 - 1, JANUARY, 1, 2, "wrong_type", "lines[0]", "", b"\x00\xff", b"\xc3\x28",
        ["a", ""], [b"\xff", b""], 1,
    ),
)  # fmt: skip


def test_there_is_one_of_each() -> None:
    assert {TABLE_OF[type(row)] for row in ONE_OF_EACH} >= TABLES.keys() - {"ledger"}


async def test_every_value_comes_back_as_it_was_sent(stored: Stored) -> None:
    await stored.put(*ONE_OF_EACH)
    for row in ONE_OF_EACH:
        assert row in stored.rows(TABLE_OF[type(row)])


async def test_the_higher_version_wins_in_whatever_order_it_comes(stored: Stored) -> None:
    first, second, third = (session(clicks=version, version=version) for version in (1, 2, 3))
    await stored.put(first)
    await stored.put(third)
    await stored.put(second)
    assert stored.rows("sessions") == [third]


async def test_a_batch_may_hold_several_versions_of_a_key(stored: Stored) -> None:
    await stored.put(*(session(clicks=version, version=version) for version in (2, 3, 1)))
    assert [row.clicks for row in stored.rows("sessions")] == [3]


async def test_a_batch_written_twice_counts_once(stored: Stored) -> None:
    rows = [session(f"c:{number}") for number in range(50)]
    await stored.put(*rows)
    await stored.put(*rows)
    assert len(stored.rows("sessions")) == 50


async def test_a_deleted_row_is_hidden_until_a_higher_version_brings_it_back(stored: Stored) -> None:
    await stored.put(session(version=1), session("c:bob", version=1))
    await stored.put(session(version=2, is_deleted=1))
    assert [row.person for row in stored.rows("sessions")] == ["c:bob"]
    await stored.put(session(version=1))
    assert [row.person for row in stored.rows("sessions")] == ["c:bob"]
    await stored.put(session(version=3))
    assert [row.person for row in stored.rows("sessions")] == ["c:ann", "c:bob"]


async def test_a_row_withdrawn_under_one_day_lives_under_another_whichever_comes_last(stored: Stored) -> None:
    there, withdrawn, here = (
        session(version=1),
        session(version=3, is_deleted=1),
        session(version=2, born=JANUARY + 1),
    )
    await stored.put(there, withdrawn, here)
    assert [(row.born, row.version) for row in stored.rows("sessions")] == [(JANUARY + 1, 2)]
    await stored.put(here, there)
    assert [(row.born, row.version) for row in stored.rows("sessions")] == [(JANUARY + 1, 2)]


async def test_months_are_batches_of_their_own(stored: Stored) -> None:
    await stored.put(session("c:a"), session("c:b", born=FEBRUARY))
    assert [row.born for row in stored.rows("sessions")] == [JANUARY, FEBRUARY]


async def test_an_empty_batch_is_nothing(stored: Stored) -> None:
    await stored.sink.write(Batch("sessions", JANUARY, []))
    assert stored.rows("sessions") == []


@pytest.mark.parametrize("bad", ["text for a number", "text for an array", "cut short"])
async def test_a_batch_with_a_bad_row_is_rejected_as_a_whole(stored: Stored, bad: str) -> None:
    fields = list(msgspec.structs.astuple(session("c:bad")))
    names = session().__struct_fields__
    if bad == "text for a number":
        fields[names.index("clicks")] = "many"
    elif bad == "text for an array":
        fields[names.index("experience_id")] = "e1"
    wire = encode(fields)[:-1] if bad == "cut short" else encode(fields)
    good = [encode(session(f"c:{number}")) for number in range(1000)]
    with pytest.raises(Rejected):
        await stored.sink.write(Batch("sessions", JANUARY, [*good, wire]))
    assert stored.rows("sessions") == []
