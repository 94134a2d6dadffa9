"""Where an INSERT's data begins, and which FORMAT a statement names."""

import pytest

from deploy.local.clickhouse.sqltext import Incomplete, insert_head, output_format


@pytest.mark.parametrize(
    ("text", "statement", "fmt", "data"),
    [
        (b"INSERT INTO t FORMAT CSV\n1,2\n", "INSERT INTO t ", "CSV", b"1,2\n"),
        (b"insert into t (a, b) format Native\n\x01\x02", "insert into t (a, b) ", "Native", b"\x01\x02"),
        (b"INSERT INTO t FORMAT CSV \t\r\n\n1", "INSERT INTO t ", "CSV", b"\n1"),
        (b"INSERT INTO t FORMAT JSONEachRow {}", "INSERT INTO t ", "JSONEachRow", b"{}"),
        (b"/* FORMAT x /* y */ */ INSERT -- FORMAT z\n INTO format FORMAT TSV\n", None, "TSV", b""),
        (b"INSERT INTO `a FORMAT b` SETTINGS x = 'FORMAT' FORMAT TSV\nq", None, "TSV", b"q"),
        (b"INSERT INTO t (format) FORMAT TSV\n1", "INSERT INTO t (format) ", "TSV", b"1"),
    ],
)
def test_an_insert_ends_where_its_data_begins(
    text: bytes, statement: str | None, fmt: str, data: bytes
) -> None:
    head = insert_head(text, ended=True)
    assert head is not None
    assert head.format == fmt
    assert text[head.data_at :] == data
    if statement is not None:
        assert head.statement == statement


@pytest.mark.parametrize(
    "text",
    [
        b"SELECT 1 FORMAT CSV\n",
        b"INSERT INTO t VALUES (1)",
        b"INSERT INTO t FORMAT Values (1)",
        b"INSERT INTO t SELECT a FROM u FORMAT CSV",
        b"INSERT INTO t FROM INFILE 'x' FORMAT CSV",
        b"INSERT INTO t VALUES ('it''s FORMAT CSV",
        b"",
    ],
)
def test_other_statements_have_no_data_behind_them(text: bytes) -> None:
    assert insert_head(text, ended=True) is None


def test_every_cut_of_a_head_either_waits_or_finds_the_same_data() -> None:
    text = b"INSERT INTO t /* ( */ (`a'b`, c) SETTINGS x='FORMAT y' FORMAT RowBinary\r\n"
    for size in range(len(text)):
        with pytest.raises(Incomplete):
            insert_head(text[:size], ended=False)
    head = insert_head(text, ended=False)
    assert head is not None
    assert head.data_at == len(text)


@pytest.mark.parametrize(
    ("sql", "fmt"),
    [
        ("SELECT 1", None),
        ("SELECT 1 FORMAT JSON", "JSON"),
        ("SELECT 1\n FORMAT Native ; ", "Native"),
        ("SELECT 1 FORMAT CSV SETTINGS max_threads = 1", "CSV"),
        ("SELECT 'x FORMAT CSV'", None),
        ("SELECT 1 -- FORMAT CSV", None),
        ("SELECT format FROM t", None),
        ("SELECT a FORMAT FROM t FORMAT TSV", "TSV"),
    ],
)
def test_a_format_is_named_only_by_a_trailing_clause(sql: str, fmt: str | None) -> None:
    assert output_format(sql) == fmt
