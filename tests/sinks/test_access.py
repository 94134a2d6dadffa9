"""Roles and grants: text that the engine's own parser takes, and what each role may do by it.

The embedded engine has no users: whether a server enforces this is not tested here.
"""

import re

import pytest

from schemas.tables import TABLES
from sinks.access import ACCESS_FILE, LETTERS, ROLES, rendered_files, statements
from tests.fixtures.clickhouse import ClickHouseEndpoint


@pytest.mark.clickhouse
def test_the_engine_reads_every_statement(clickhouse: ClickHouseEndpoint) -> None:
    client = clickhouse.client()
    for text in statements("shop_1"):
        (read,) = client.query("SELECT formatQuerySingleLine({text:String})", {"text": text}).result_rows[0]
        assert read.split()[0] in ("CREATE", "GRANT", "REVOKE"), text
    client.close()


def grants(role: str) -> set[str]:
    """`INSERT ON shopmeter.orders`, all that a role is granted."""
    pattern = re.compile(rf"GRANT (.*) TO shopmeter_{role}")
    return {match[1] for text in statements() if (match := pattern.fullmatch(text))}


def test_the_writer_inserts_into_every_table_and_reads_none() -> None:
    assert grants("writer") == {f"INSERT ON shopmeter.{table}" for table in TABLES}


def test_readers_only_read_and_not_the_records_of_people() -> None:
    for role in ("reader", "operator"):
        assert grants(role) == {"SELECT ON shopmeter.*"}
        (profile,) = [text for text in statements() if f"PROFILE OR REPLACE shopmeter_{role} " in text]
        assert "readonly = 1" in profile
        assert "max_memory_usage" in profile
    for table in LETTERS:
        assert f"REVOKE SELECT ON shopmeter.{table} FROM shopmeter_reader" in set(statements())


def test_no_role_reaches_out_of_the_database_or_makes_users() -> None:
    for text in statements():
        assert " ON *.*" not in text
        assert not re.search(r"\b(SOURCES|URL|FILE|REMOTE|S3|ACCESS MANAGEMENT|GRANT OPTION)\b", text)


def test_the_file_has_every_statement_once_and_no_password() -> None:
    text = rendered_files()[ACCESS_FILE]
    for statement in statements():
        assert text.count(f"{statement};\n") == 1
    assert text.count("IDENTIFIED") == 1
    assert all(role.purpose in text for role in ROLES)
