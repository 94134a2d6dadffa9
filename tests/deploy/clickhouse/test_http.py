"""The HTTP interface as curl sees it: statements, parameters, settings, formats, codings, errors."""

import gzip
import json
import struct
import zlib
from collections.abc import Callable
from http.client import IncompleteRead

import pytest
from backports import zstd
from lz4 import frame as lz4

from deploy.local.clickhouse.worker import MAX_WAITED_BYTES
from tests.deploy.clickhouse.http import ask
from tests.fixtures.clickhouse import ClickHouseEndpoint


def test_ping_and_the_root_answer_without_the_engine(clickhouse: ClickHouseEndpoint) -> None:
    for path in ("/ping", "/", "/replicas_status"):
        assert ask(clickhouse.port, method="GET", path=path).text == "Ok.\n"
    assert ask(clickhouse.port, method="GET", path="/nope").status == 404


def test_a_statement_comes_in_the_url_the_body_or_both(clickhouse: ClickHouseEndpoint) -> None:
    assert ask(clickhouse.port, method="GET", query="SELECT 1").text == "1\n"
    assert ask(clickhouse.port, "SELECT 2").text == "2\n"
    assert ask(clickhouse.port, "FORMAT CSV", query="SELECT 'x'").text == '"x"\n'


def test_headers_tell_what_the_answer_is(clickhouse: ClickHouseEndpoint) -> None:
    answer = ask(clickhouse.port, "SELECT number FROM numbers(10) FORMAT JSONEachRow", query_id="q-1")
    assert answer.headers["x-clickhouse-query-id"] == "q-1"
    assert answer.headers["x-clickhouse-format"] == "JSONEachRow"
    assert answer.headers["x-clickhouse-timezone"]
    assert answer.headers["x-clickhouse-server-display-name"]
    summary = json.loads(answer.headers["x-clickhouse-summary"])
    assert summary["read_rows"] == "10"
    assert summary["result_rows"] == "10"


@pytest.mark.parametrize(
    ("fmt", "start", "text"),
    [
        ("TabSeparated", "text/tab-separated-values", "1\ta\\'b\n"),
        ("CSVWithNames", "text/csv", '"n","s"\n1,"a\'b"\n'),
        ("JSONCompactEachRow", "application/json", '[1, "a\'b"]\n'),
        ("Values", "text/plain", "(1,'a\\'b')"),
    ],
)
def test_default_format_is_used_unless_the_statement_names_one(
    clickhouse: ClickHouseEndpoint, fmt: str, start: str, text: str
) -> None:
    sql = "SELECT 1 AS n, 'a\\'b' AS s"
    for answer in (
        ask(clickhouse.port, sql, default_format=fmt),
        ask(clickhouse.port, f"{sql} FORMAT {fmt}"),
    ):
        assert answer.text == text
        assert answer.headers["content-type"].startswith(start)
        assert answer.headers["x-clickhouse-format"] == fmt
    assert ask(clickhouse.port, sql, headers={"X-ClickHouse-Format": fmt}).text == text


def test_totals_and_extremes_are_not_lost(clickhouse: ClickHouseEndpoint) -> None:
    sql = "SELECT number % 2 AS k, count() FROM numbers(4) GROUP BY k WITH TOTALS ORDER BY k FORMAT CSV"
    assert ask(clickhouse.port, sql).text == "0,2\n1,2\n\n0,4\n"
    assert (
        ask(clickhouse.port, "SELECT number FROM numbers(3) FORMAT CSV", extremes="1").text
        == "0\n1\n2\n\n0\n2\n"
    )


def test_parameters_are_bound_as_a_server_binds_them(clickhouse: ClickHouseEndpoint) -> None:
    sql = "SELECT {s:String}, {a:Array(String)}, {n:Nullable(Int64)}, {d:Date}, {m:Map(String, Int64)} "
    sql += "FORMAT JSONCompactEachRow"
    given = {"param_s": "a\\tb\\\\'", "param_a": "['x', 'y\\'z']", "param_n": "\\N", "param_d": "2026-11-22"}
    answer = ask(clickhouse.port, sql, param_m="{'k': 5}", url=given)
    assert json.loads(answer.text) == ["a\tb\\'", ["x", "y'z"], None, "2026-11-22", {"k": 5}]
    assert ask(clickhouse.port, "SELECT {x:UInt8}", param_x="abc").code != 0
    assert ask(clickhouse.port, "SELECT {x:UInt8}").code == 456


def test_a_setting_lives_for_one_query(clickhouse: ClickHouseEndpoint) -> None:
    sql = "SELECT getSetting('max_result_rows')"
    before = ask(clickhouse.port, sql).text
    assert ask(clickhouse.port, sql, max_result_rows="77").text == "77\n"
    assert ask(clickhouse.port, sql).text == before
    unknown = ask(clickhouse.port, "SELECT 1", no_such_setting="1")
    assert (unknown.status, unknown.code) == (404, 115)
    assert ask(clickhouse.port, "SELECT 1", url={"max_threads = 1, readonly": "0"}).code == 115


def test_the_database_is_chosen_by_url_or_header(clickhouse: ClickHouseEndpoint) -> None:
    sql = "SELECT currentDatabase()"
    assert ask(clickhouse.port, sql, database="system").text == "system\n"
    assert ask(clickhouse.port, sql, headers={"X-ClickHouse-Database": "system"}).text == "system\n"
    assert ask(clickhouse.port, sql, database="a`b").code == 81


def test_errors_look_like_a_servers(clickhouse: ClickHouseEndpoint) -> None:
    answer = ask(clickhouse.port, "SELECT * FROM nowhere", query_id="q-2")
    assert (answer.status, answer.code) == (404, 60)
    assert answer.text.startswith("Code: 60. DB::Exception: ")
    assert "(UNKNOWN_TABLE) (version 26." in answer.text
    assert answer.headers["x-clickhouse-query-id"] == "q-2"
    assert ask(clickhouse.port, "SELEC 1").code == 62
    assert ask(clickhouse.port, b"SELECT '\xff'").code == 36
    assert ask(clickhouse.port, "SELECT 1", compress="1").code == 48
    assert ask(clickhouse.port, "").code == 62


def test_an_error_after_the_headers_follows_in_the_body(clickhouse: ClickHouseEndpoint) -> None:
    sql = "SELECT throwIf(number = 900000), randomPrintableASCII(100) FROM numbers(1000000) FORMAT CSV"
    # The connection is cut, so that no client takes the part it got for the whole.
    with pytest.raises(IncompleteRead):
        ask(clickhouse.port, sql, max_block_size="10000")
    early = ask(clickhouse.port, sql, max_block_size="10000", wait_end_of_query="1")
    assert (early.status, early.code) == (500, 395)


def test_what_waits_for_its_end_is_bounded(clickhouse: ClickHouseEndpoint) -> None:
    # Lines of 1 MiB, so that the bound is hit exactly.
    lines = "SELECT repeat('xxx', 349525) FROM numbers({}) FORMAT TSV"
    settings = {"wait_end_of_query": "1", "max_block_size": "4"}
    for port in (clickhouse.port, clickhouse.reader_port):
        refused = ask(port, lines.format(257), url=settings)
        assert (refused.status, refused.code) == (500, 396)
        assert "(TOO_MANY_ROWS_OR_BYTES)" in refused.text
        assert "leave out wait_end_of_query" in refused.text
        assert "LIMIT" in refused.text
    # An endless one is stopped, not only refused: it would keep its thread.
    assert ask(clickhouse.port, lines.format(10**12), url=settings).code == 396
    running = "SELECT count() FROM system.processes WHERE query LIKE 'SELECT repeat%'"
    assert ask(clickhouse.port, running).text == "0\n"
    assert len(ask(clickhouse.port, lines.format(256), url=settings).body) == MAX_WAITED_BYTES
    streamed = ask(clickhouse.port, lines.format(257), max_block_size="4")
    assert len(streamed.body) == MAX_WAITED_BYTES + (1 << 20)


def test_a_long_answer_that_waited_arrives_whole_and_in_order(clickhouse: ClickHouseEndpoint) -> None:
    sql = "SELECT number FROM numbers(1000000) FORMAT TSV"
    answer = ask(clickhouse.port, sql, wait_end_of_query="1", max_block_size="10000")
    assert answer.body == b"".join(b"%d\n" % number for number in range(1_000_000))
    assert answer.headers["content-length"] == str(len(answer.body))


ROWS = [(1, "one"), (2, "zwei\t'")]

INSERTS: dict[str, bytes] = {
    "JSONEachRow": b'{"a":1,"b":"one"}\n{"a":2,"b":"zwei\\t\'"}',
    "CSV": b'1,one\n2,"zwei\t\'"\n',
    "CSVWithNames": b'b,a\none,1\n"zwei\t\'",2\n',
    "TSV": b"1\tone\n2\tzwei\\t\\'\n",
    "RowBinary": b"".join(struct.pack("<q", a) + bytes([len(b)]) + b.encode() for a, b in ROWS),
    "MsgPack": b"\x01\xa3one\x02\xa6zwei\t'",
    "Values": b"(1, 'one'), (2, 'zwei\\t\\'')",
}


@pytest.mark.parametrize("fmt", [*INSERTS, "Native", "Parquet", "ArrowStream"])
@pytest.mark.parametrize("where", ["url", "body"])
def test_inserts_take_every_format(
    clickhouse: ClickHouseEndpoint, clickhouse_database: str, fmt: str, where: str
) -> None:
    port, table = clickhouse.port, f"{clickhouse_database}.t"
    ask(port, f"CREATE TABLE {table} (a Int64, b String) ENGINE = MergeTree ORDER BY a")
    data = INSERTS.get(fmt)
    if data is None:
        rows = "SELECT a, b FROM values('a Int64, b String', (1, 'one'), (2, 'zwei\\t\\''))"
        data = ask(port, rows, default_format=fmt).body
    statement = f"INSERT INTO {table} FORMAT {fmt}"
    whole = statement.encode() + b"\n" + data
    answer = ask(port, data, query=statement) if where == "url" else ask(port, whole)
    assert answer.status == 200, answer.text
    assert "x-clickhouse-format" not in answer.headers
    if fmt != "Values":
        assert json.loads(answer.headers["x-clickhouse-summary"])["written_rows"] == "2"
    assert ask(port, f"SELECT a, b FROM {table} ORDER BY a FORMAT JSONCompactEachRow").text.splitlines() == [
        '[1, "one"]',
        '[2, "zwei\\t\'"]',
    ]


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "lz4": lz4.compress,
    "zstd": zstd.compress,
}


@pytest.mark.parametrize("coding", PACKERS)
def test_inserts_may_be_packed_and_answers_are(
    clickhouse: ClickHouseEndpoint, clickhouse_database: str, coding: str
) -> None:
    table = f"{clickhouse_database}.t"
    ask(clickhouse.port, f"CREATE TABLE {table} (a Int64) ENGINE = MergeTree ORDER BY a")
    body = PACKERS[coding](f"INSERT INTO {table} FORMAT CSV\n".encode()) + PACKERS[coding](b"1\n2\n3\n")
    assert ask(clickhouse.port, body, headers={"Content-Encoding": coding}).status == 200
    sql = f"SELECT sum(a) FROM {table}"
    packed = ask(clickhouse.port, sql, headers={"Accept-Encoding": coding}, enable_http_compression="1")
    assert packed.headers["content-encoding"] == coding
    unpackers: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.decompress,
        "deflate": zlib.decompress,
        "lz4": lz4.decompress,
        "zstd": zstd.decompress,
    }
    assert unpackers[coding](packed.body) == b"6\n"
    plain = ask(clickhouse.port, sql, headers={"Accept-Encoding": coding}, enable_http_compression="0")
    assert plain.text == "6\n"


def test_a_packed_body_cut_short_inserts_nothing(
    clickhouse: ClickHouseEndpoint, clickhouse_database: str
) -> None:
    table = f"{clickhouse_database}.t"
    ask(clickhouse.port, f"CREATE TABLE {table} (a Int64) ENGINE = MergeTree ORDER BY a")
    body = gzip.compress(b"".join(b"%d\n" % i for i in range(100_000)))[:-100]
    answer = ask(
        clickhouse.port, body, query=f"INSERT INTO {table} FORMAT CSV", headers={"Content-Encoding": "gzip"}
    )
    assert answer.code == 117
    assert ask(clickhouse.port, f"SELECT count() FROM {table}").text == "0\n"


def test_an_insert_may_name_its_table_and_settings(
    clickhouse: ClickHouseEndpoint, clickhouse_database: str
) -> None:
    port = clickhouse.port
    ask(port, "CREATE TABLE t (a Int64) ENGINE = MergeTree ORDER BY a", database=clickhouse_database)
    answer = ask(
        port,
        b"INSERT INTO {t:Identifier} SETTINGS max_insert_threads = 1 FORMAT CSV\n1\n",
        database=clickhouse_database,
        param_t="t",
        async_insert="0",
    )
    assert answer.status == 200, answer.text
    assert ask(port, "SELECT count() FROM t", database=clickhouse_database).text == "1\n"


def test_bad_rows_insert_nothing_and_say_where(
    clickhouse: ClickHouseEndpoint, clickhouse_database: str
) -> None:
    table = f"{clickhouse_database}.t"
    ask(clickhouse.port, f"CREATE TABLE {table} (a Int64) ENGINE = MergeTree ORDER BY a")
    answer = ask(clickhouse.port, b"1\nx\n", query=f"INSERT INTO {table} FORMAT CSV")
    assert (answer.status, answer.code) == (400, 117)
    assert "row 2" in answer.text
    assert ask(clickhouse.port, b"1", query=f"INSERT INTO {table} FORMAT Nope").code == 73
    assert ask(clickhouse.port, b"1", query=f"INSERT INTO {table}_x FORMAT CSV").code == 60
    assert ask(clickhouse.port, f"SELECT count() FROM {table}").text == "0\n"
