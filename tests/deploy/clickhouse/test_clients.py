"""The stock client, with its defaults, takes the endpoint for a server."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import psutil
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, ProgrammingError, StreamFailureError

from tests.fixtures.clickhouse import ClickHouseEndpoint

ROWS = 100_000
COLUMNS = 20
# Two threads sleep through ten selects: 15 s, without work for the processor.
SLOW = " UNION ALL ".join(["SELECT sleep(3)"] * 10)


@pytest.fixture
def client(clickhouse: ClickHouseEndpoint, clickhouse_database: str) -> Iterator[Any]:
    client = clickhouse.client(clickhouse_database, autogenerate_session_id=True)
    yield client
    client.close()


@pytest.fixture
def reader(clickhouse: ClickHouseEndpoint, clickhouse_database: str) -> Iterator[Any]:
    client = clickhouse.client(clickhouse_database, reader=True)
    yield client
    client.close()


def wide_columns() -> list[list[Any]]:
    return [list(range(ROWS)) if i % 2 else [str(n) for n in range(ROWS)] for i in range(COLUMNS)]


def make_wide(client: Any) -> list[str]:
    names = [f"c{i}" for i in range(COLUMNS)]
    types = ["Int64" if i % 2 else "String" for i in range(COLUMNS)]
    spelled = ", ".join(f"{name} {kind}" for name, kind in zip(names, types, strict=True))
    client.command(f"CREATE TABLE wide ({spelled}) ENGINE = MergeTree ORDER BY c1")
    return names


def test_values_travel_both_ways(client: Any) -> None:
    moment = dt.datetime(2026, 11, 22, 10, 0, 0, 123000)  # noqa: DTZ001 - the client gives UTC as naive
    client.command(
        "CREATE TABLE t (id UInt64, at DateTime64(3), tags Array(String), lines Array(Tuple(sku String, paid Int64)), "
        "extra Map(String, Int64), `n.k` Array(String), `n.v` Array(Int64)) ENGINE = MergeTree ORDER BY id"
    )
    row = [
        7,
        moment,
        ["a", "it's"],
        [{"sku": "s1", "paid": -5}, {"sku": "s2", "paid": 9}],
        {"x": 1},
        ["k"],
        [4],
    ]
    assert client.insert("t", [row]).written_rows == 1
    assert [list(found) for found in client.query("SELECT * FROM t").result_rows] == [row]
    found = client.query(
        "SELECT {a:Array(String)}, {d:DateTime64(3)}", parameters={"a": ["x'y", "t\tz"], "d": moment}
    )
    assert found.result_rows == [(["x'y", "t\tz"], moment)]
    assert client.command("SELECT 5") == 5
    assert client.query("SELECT 1 AS one LIMIT 0").column_names == ("one",)
    assert client.query("SELECT count() FROM numbers(1000000)").summary["read_rows"] == "1000000"


def test_form_encoded_parameters(clickhouse: ClickHouseEndpoint) -> None:
    client = clickhouse.client(form_encode_query_params=True)
    assert client.query("SELECT {a:String}", parameters={"a": "x" * 200_000}).result_rows == [
        ("x" * 200_000,)
    ]
    client.close()


@pytest.mark.parametrize("compress", [True, False, "gzip", "zstd", "lz4"])
def test_columns_of_a_batch_arrive(
    clickhouse: ClickHouseEndpoint, clickhouse_database: str, compress: bool | str
) -> None:
    client = clickhouse.client(clickhouse_database, compress=compress)
    names = make_wide(client)
    written = client.insert("wide", wide_columns(), column_names=names, column_oriented=True)
    assert written.written_rows == ROWS
    # One insert is one part: more would be merged later, at the cost of every reader until then.
    parts = "SELECT count() FROM system.parts WHERE active AND database = currentDatabase()"
    assert client.command(parts) == 1
    found = client.query("SELECT * FROM wide ORDER BY c1")
    assert [list(column) for column in found.result_columns] == wide_columns()
    client.close()


def test_errors_keep_number_and_name(client: Any, reader: Any) -> None:
    for sql, code, name in (("SELECT * FROM nope", 60, "UNKNOWN_TABLE"), ("SELEC 1", 62, "SYNTAX_ERROR")):
        for who in (client, reader):
            with pytest.raises(DatabaseError) as caught:
                who.query(sql)
            assert (caught.value.code, caught.value.name) == (code, name)
    with pytest.raises(DatabaseError) as caught:
        reader.command("CREATE TABLE t (a Int8) ENGINE = Memory")
    assert (caught.value.code, caught.value.name) == (164, "READONLY")
    # The client sees by itself that this server's settings are fixed.
    with pytest.raises(ProgrammingError, match="readonly"):
        reader.query("SELECT 1", settings={"max_threads": 1})


def test_a_reader_reads(client: Any, reader: Any) -> None:
    client.command("CREATE TABLE t (a Int64, v UInt64) ENGINE = ReplacingMergeTree(v) ORDER BY a")
    client.insert("t", [[1, 1], [1, 2]])
    client.command(
        "CREATE VIEW latest AS SELECT * FROM t FINAL WHERE a >= {a_from:Int64} SETTINGS max_threads = 1"
    )
    assert reader.query("SELECT v FROM latest(a_from = {x:Int64})", parameters={"x": 1}).result_rows == [(2,)]
    assert reader.query("DESCRIBE TABLE t").result_rows[0][:2] == ("a", "Int64")


def test_an_error_in_a_stream_is_raised_with_its_number(client: Any) -> None:
    sql = "SELECT throwIf(number = 900000), randomPrintableASCII(100) FROM numbers(1000000) SETTINGS max_block_size=10000"
    with pytest.raises(StreamFailureError) as caught, client.query_row_block_stream(sql) as blocks:
        assert sum(len(block) for block in blocks) < 1_000_000
    assert caught.value.code == 395


@asynccontextmanager
async def slow_queries(asking: Any, watching: Any) -> AsyncIterator[None]:
    """More slow queries than there are threads for them, all through the block; over when it ends."""
    slow = [asyncio.create_task(asking.query(SLOW)) for _ in range(12)]
    running = "SELECT count() FROM system.processes WHERE query LIKE 'SELECT sleep%'"
    while (await watching.query(running)).result_rows[0][0] < 8:
        assert not any(task.done() for task in slow)
    yield
    assert not any(task.done() for task in slow)
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)


async def test_the_asynchronous_client_works_beside_a_slow_reader(
    clickhouse: ClickHouseEndpoint, clickhouse_database: str
) -> None:
    client = await clickhouse.async_client(clickhouse_database)
    reader = await clickhouse.async_client(clickhouse_database, reader=True)
    await client.command("CREATE TABLE t (a Int64) ENGINE = MergeTree ORDER BY a")
    # What waits for a thread is not the writer.
    async with slow_queries(reader, client):
        for _ in range(5):
            assert await client.ping()
            await client.insert("t", [[1], [2]])
        assert (await client.query("SELECT count() FROM t")).result_rows == [(10,)]
        with pytest.raises(DatabaseError) as caught:
            await client.query("SELECT * FROM nope")
        assert caught.value.code == 60
    await client.command("KILL QUERY WHERE query LIKE 'SELECT sleep%' SYNC")
    await client.close()
    await reader.close()


async def test_slow_readers_on_the_full_port_hold_up_no_insert(
    clickhouse: ClickHouseEndpoint, clickhouse_database: str
) -> None:
    client = await clickhouse.async_client(clickhouse_database)
    reader = await clickhouse.async_client(clickhouse_database, reader=True)
    await client.command("CREATE TABLE t (a Int64) ENGINE = MergeTree ORDER BY a")
    async with slow_queries(client, reader):
        for _ in range(5):
            await client.insert("t", [[1], [2]], column_names=["a"], column_type_names=["Int64"])
        # Nor do readers wait for them.
        assert (await reader.query("SELECT count() FROM t")).result_rows == [(10,)]
    await client.command("KILL QUERY WHERE query LIKE 'SELECT sleep%' SYNC")
    await client.close()
    await reader.close()


def test_a_large_body_does_not_stay_in_memory(
    clickhouse: ClickHouseEndpoint, clickhouse_database: str
) -> None:
    client = clickhouse.client(clickhouse_database)
    client.command("CREATE TABLE t (a Int64, s String) ENGINE = MergeTree ORDER BY a")
    process = psutil.Process(clickhouse.process.pid)

    def lines(count: int) -> Iterator[bytes]:
        for start in range(0, count, 10_000):
            yield b"".join(b"%d,%d-%s\n" % (n, n, b"x" * 48) for n in range(start, start + 10_000))

    client.raw_insert("t", insert_block=lines(200_000), fmt="CSV")
    before = process.memory_info().rss
    assert client.raw_insert("t", insert_block=lines(1_000_000), fmt="CSV").written_rows == 1_000_000
    grown = process.memory_info().rss - before
    # 64 MB of text; what may stay is the engine's own (marks, arenas), not the body.
    assert grown < 300 << 20
    client.close()


def test_an_error_reaches_a_client_that_is_still_sending(
    clickhouse: ClickHouseEndpoint, clickhouse_database: str
) -> None:
    client = clickhouse.client(clickhouse_database)
    with pytest.raises(DatabaseError) as caught:
        client.raw_insert("nope", insert_block=(b"1,2\n" * 250_000 for _ in range(64)), fmt="CSV")
    assert caught.value.code == 60
    client.close()
