"""Nothing that is asked over HTTP may touch the machine outside the database: the tests look at the disk."""

from pathlib import Path

import pytest

from tests.deploy.clickhouse.http import Answer, ask
from tests.fixtures.clickhouse import ClickHouseEndpoint

SECRET = "swordfish-4711"

# {f}: a file that does not exist; {s}: one that does, with the secret in it.
ESCAPES = [
    "SELECT 1 INTO OUTFILE '{f}'",
    "select 1 as a into/**/outfile '{f}' format CSV",
    "EXPLAIN SELECT 1 INTO OUTFILE '{f}'",
    "SHOW DATABASES INTO OUTFILE '{f}'",
    "(SELECT 1) UNION ALL (SELECT 2) INTO OUTFILE '{f}' AND STDOUT",
    "FROM numbers(1) SELECT 1 INTO OUTFILE '{f}'",
    "SELECT 1 /* /* */ */ INTO OUTFILE '{f}' -- '",
    "SELECT 'a''' INTO OUTFILE '{f}'",
    "SELECT 'a\\'' AS `b\\`` INTO OUTFILE '{f}'",
    "SELECT $x$ ' $x$ INTO OUTFILE '{f}'",
    "KILL QUERY WHERE 0 INTO OUTFILE '{f}'",
    "INSERT INTO FUNCTION file('{f}', 'CSV', 'a Int8') SELECT 1",
    "INSERT INTO FUNCTION `f\\x69le`('{f}', 'CSV', 'a Int8') VALUES (1)",
    "CREATE TABLE leak (a Int8) ENGINE = File('CSV', '{f}')",
    "CREATE TABLE leak ENGINE File(CSV, '{f}') AS SELECT 1 AS a",
    "CREATE DATABASE leak ENGINE = Filesystem('/')",
    "BACKUP DATABASE default TO File('{f}')",
    "SELECT * FROM file('{s}', 'LineAsString')",
    "SELECT file('{s}')",
    "SELECT `f\\x69le`('{s}')",
    "SELECT \"file\"('{s}')",
    "WITH x -> file(x) AS peek SELECT peek('{s}')",
    "SELECT arrayMap(x -> file(x), ['{s}'])",
    "DESCRIBE TABLE file('{s}', 'CSVWithNames')",
    "SELECT * FROM (SELECT * FROM file/* */('{s}', 'LineAsString'))",
    "SELECT * FROM filesystem('{s}')",
    "SELECT * FROM executable('cat {s}', 'LineAsString', 'a String')",
    "SELECT * FROM executable('touch {f}', 'LineAsString', 'a String')",
    "SELECT * FROM sqlite('{f}', 'x')",
    "SELECT * FROM python(engine)",
    "SELECT * FROM url('file://{s}', 'LineAsString', 'a String')",
    "SELECT * FROM remote('127.0.0.1', system.one)",
    "SELECT * FROM s3('http://127.0.0.1:1/bucket/x', 'CSV', 'a Int8')",
    "SELECT 1 SETTINGS format_schema = '{s}'",
    "SELECT 1 FORMAT Protobuf SETTINGS output_format_schema = '{f}'",
    "CREATE DICTIONARY leak (a Int8) PRIMARY KEY a SOURCE(EXECUTABLE(COMMAND 'touch {f}' FORMAT 'CSV')) "
    "LAYOUT(FLAT()) LIFETIME(1)",
    "CREATE FUNCTION leak AS x -> file(x)",
    "CREATE VIEW leak AS SELECT file('{s}')",
    "INSERT INTO t FROM INFILE '{s}' FORMAT CSV",
    "file('{s}')",
    "SELECT 1; SELECT 1 INTO OUTFILE '{f}'",
    "exit",
]


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.csv"
    path.write_text(SECRET + "\n")
    return path


def assert_nothing_happened(answer: Answer, written: Path) -> None:
    assert answer.code in (62, 164, 497), answer.text
    assert SECRET not in answer.text
    assert not written.exists()


@pytest.mark.parametrize("sql", ESCAPES)
@pytest.mark.parametrize("side", ["full", "reader"])
def test_no_statement_reaches_a_file(
    clickhouse: ClickHouseEndpoint, tmp_path: Path, secret: Path, sql: str, side: str
) -> None:
    written = tmp_path / "written"
    port = clickhouse.port if side == "full" else clickhouse.reader_port
    answer = ask(port, sql.replace("{f}", str(written)).replace("{s}", str(secret)))
    assert_nothing_happened(answer, written)


@pytest.mark.parametrize("name", ["{s}", "../../../../../../..{s}"])
def test_a_reader_cannot_name_a_file_as_a_table(
    clickhouse: ClickHouseEndpoint, tmp_path: Path, secret: Path, name: str
) -> None:
    table = name.replace("{s}", str(secret))
    for sql in (f"SELECT * FROM `{table}`", f"DESCRIBE TABLE `{table}`", "SELECT * FROM {t:Identifier}"):
        answer = ask(clickhouse.reader_port, sql, param_t=table)
        assert answer.code in (60, 62, 164), answer.text
        assert SECRET not in answer.text


HARMLESS = [
    "SELECT 'INTO OUTFILE', 'file(1)'",
    "SELECT 1 AS outfile -- INTO OUTFILE 'x'",
    "SELECT 1 AS url, 2 AS file, url + file /* file('x') */",
    "SELECT name FROM system.tables WHERE engine = 'File'",
    "SELECT count() FROM numbers(10)",
    "EXPLAIN SELECT 1",
    "SELECT path('http://a/b'), format('{}', 'a')",
    "WITH t AS (SELECT 1 AS x) SELECT x FROM t;",
    "SHOW DATABASES",
    "EXISTS TABLE system.one",
    "SELECT 'a\\'b', '\\x41'",
]


@pytest.mark.parametrize("sql", HARMLESS)
@pytest.mark.parametrize("side", ["full", "reader"])
def test_words_in_strings_comments_and_names_do_not_matter(
    clickhouse: ClickHouseEndpoint, sql: str, side: str
) -> None:
    answer = ask(clickhouse.port if side == "full" else clickhouse.reader_port, sql)
    assert answer.status == 200, answer.text


CHANGES = [
    "INSERT INTO {db}.t VALUES (2)",
    "INSERT INTO {db}.t FORMAT CSV\n2\n",
    "CREATE TABLE {db}.u (a Int8) ENGINE = Memory",
    "CREATE TEMPORARY TABLE u (a Int8)",
    "DROP TABLE {db}.t",
    "TRUNCATE TABLE {db}.t",
    "ALTER TABLE {db}.t DELETE WHERE 1",
    "OPTIMIZE TABLE {db}.t",
    "RENAME TABLE {db}.t TO {db}.u",
    "DROP DATABASE {db}",
    "SET readonly = 0",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1 SETTINGS max_threads = 7",
    "SYSTEM FLUSH LOGS",
    "KILL QUERY WHERE 1",
    "USE system",
    "GRANT ALL ON *.* TO default",
    "CREATE USER u",
]


@pytest.mark.parametrize("sql", CHANGES)
@pytest.mark.parametrize(
    "how", ["reader port", "reader user", "basic auth", "readonly=1", "reader port, readonly=0"]
)
def test_a_reader_changes_nothing(
    clickhouse: ClickHouseEndpoint, clickhouse_database: str, sql: str, how: str
) -> None:
    ask(
        clickhouse.port,
        f"CREATE TABLE {clickhouse_database}.t ENGINE = MergeTree ORDER BY a AS SELECT 1 AS a",
    )
    statement = sql.replace("{db}", clickhouse_database)
    headers = {
        "reader user": {"X-ClickHouse-User": "shopmeter_reader"},
        "basic auth": {"Authorization": "Basic c2hvcG1ldGVyX3JlYWRlcjo="},
    }.get(how)
    parameters = {"readonly=1": {"readonly": "1"}, "reader port, readonly=0": {"readonly": "0"}}.get(how, {})
    port = clickhouse.reader_port if how.startswith("reader port") else clickhouse.port
    answer = ask(port, statement, headers=headers, url=parameters)
    assert answer.code in (164, 48, 497), answer.text
    left = ask(clickhouse.port, f"SELECT groupArray(a) FROM {clickhouse_database}.t").text
    assert left == "[1]\n"


def test_a_reader_may_bound_a_query_but_not_more(clickhouse: ClickHouseEndpoint) -> None:
    port = clickhouse.reader_port
    assert ask(port, "SELECT getSetting('max_result_rows')", max_result_rows="5").text == "5\n"
    both = "SELECT getSetting('max_execution_time'), getSetting('max_memory_usage')"
    assert ask(port, both, max_execution_time="0", max_memory_usage="0").text == f"60\t{1 << 30}\n"
    assert ask(port, both, max_execution_time="7", max_memory_usage="100000000").text == "7\t100000000\n"
    assert ask(port, "SELECT 1", format_schema="/etc/hostname").code == 164
    assert ask(port, "SELECT 1", max_insert_threads="3").code == 164
    # clickhouse-connect's own choices, and a value that is set anyway, are no change.
    assert (
        ask(port, "SELECT 1", wait_end_of_query="1", session_id="x", client_protocol_version="54405").status
        == 200
    )
    assert ask(port, "SELECT 1", async_insert="0").status == 200


@pytest.mark.parametrize(
    ("name", "asked", "got"),
    [
        ("max_execution_time", "5", "5"),
        ("max_execution_time", "0.5", "0.5"),
        ("max_execution_time", "61", "60"),
        ("max_execution_time", "0", "60"),
        ("max_execution_time", "-1", "60"),
        ("max_execution_time", "1e-9", "60"),
        ("max_execution_time", "nan", "60"),
        ("max_execution_time", "soon", "60"),
        ("max_execution_time", "", "60"),
        ("max_memory_usage", "500000000", "500000000"),
        ("max_memory_usage", "0", str(1 << 30)),
        ("max_memory_usage", "2000000000", str(1 << 30)),
        ("max_memory_usage", str(1 << 64), str(1 << 30)),
        ("max_memory_usage", "9G", str(1 << 30)),
    ],
)
@pytest.mark.parametrize("how", ["reader port", "reader user", "readonly=1"])
def test_a_reader_cannot_lift_its_bounds(
    clickhouse: ClickHouseEndpoint, name: str, asked: str, got: str, how: str
) -> None:
    port = clickhouse.reader_port if how == "reader port" else clickhouse.port
    url = {"reader user": {"user": "shopmeter_reader"}, "readonly=1": {"readonly": "1"}}.get(how, {})
    answer = ask(port, f"SELECT getSetting('{name}')", url={**url, name: asked})
    assert answer.text == f"{got}\n"


def test_get_only_reads(clickhouse: ClickHouseEndpoint, clickhouse_database: str) -> None:
    answer = ask(
        clickhouse.port, method="GET", query=f"CREATE TABLE {clickhouse_database}.t (a Int8) ENGINE = Memory"
    )
    assert answer.code == 164
    assert ask(clickhouse.port, f"SHOW TABLES FROM {clickhouse_database}").text == ""


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"Host": "evil.example:8123"},
        # A foreign page in a sandboxed frame.
        {"Origin": "null"},
        {"Origin": ""},
    ],
)
def test_a_foreign_page_is_refused(clickhouse: ClickHouseEndpoint, headers: dict[str, str]) -> None:
    answer = ask(clickhouse.port, "SELECT 1", headers=headers)
    assert (answer.status, answer.code) == (403, 497)


def test_unknown_users_and_passwords_are_refused(clickhouse: ClickHouseEndpoint) -> None:
    assert ask(clickhouse.port, "SELECT 1", user="bob").code == 516
    assert ask(clickhouse.port, "SELECT 1", user="default", password="x").code == 516
    assert ask(clickhouse.port, "SELECT 1", headers={"Authorization": "Bearer x"}).code == 516
    assert ask(clickhouse.port, "SELECT 1", headers={"X-ClickHouse-User": "default"}).status == 200


def test_what_a_session_would_keep_is_refused_not_forgotten(clickhouse: ClickHouseEndpoint) -> None:
    for sql in ("SET max_threads = 1", "USE system", "CREATE TEMPORARY TABLE x (a Int8)"):
        answer = ask(clickhouse.port, sql)
        assert (answer.status, answer.code) == (501, 48)
        assert "URL parameters" in answer.text
