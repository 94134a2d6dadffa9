"""Who may do what in ClickHouse: roles, their limits and grants, as statements for a real server.

The embedded engine has no users, so these are checked as text only. A person who may manage access runs them once, after
the migrations, and gives the roles to users of their own making; no password is known here.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from schemas.tables import TABLES

ACCESS_FILE: Final = (
    "deploy/clickhouse/access/roles.sql"  # below: the migrations are all files beside each other
)
DATABASE: Final = "shopmeter"
# Raw records of people stand there: whoever reads figures need not read them.
LETTERS: Final = ("dead_letters", "dead_letter_records")


class Role(NamedTuple):
    """A role: its name, what it is for, its grants (privileges, objects) and the settings its users run with."""

    name: str
    purpose: str
    grants: tuple[tuple[str, tuple[str, ...]], ...]
    settings: tuple[str, ...]
    revokes: tuple[tuple[str, tuple[str, ...]], ...] = ()


_READING: Final = (
    "readonly = 1",
    "max_execution_time = 60",
    "max_memory_usage = 4000000000",
    "max_result_rows = 1000000",
    "max_rows_to_read = 2000000000",
)

ROLES: Final = (
    Role(
        "writer",
        "The sink: inserts rows, and reads nothing.",
        (("INSERT", tuple(TABLES)),),
        # An acknowledged row must be in the table, not in a buffer.
        ("async_insert = 0", "max_execution_time = 60"),
    ),
    Role(
        "reader",
        "Dashboards and reports: all tables and views but raw records.",
        (("SELECT", ("*",)),),
        _READING,
        (("SELECT", LETTERS),),
    ),
    Role(
        "operator",
        "Who looks after dead letters and audits: everything, raw records too.",
        (("SELECT", ("*",)),),
        _READING,
    ),
    Role(
        "admin",
        "Migrations: tables and views of this database, and their rows.",
        (
            ("CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW, ALTER TABLE, ALTER VIEW", ("*",)),
            ("SELECT, INSERT", ("*",)),
        ),
        ("readonly = 0",),
    ),
)


def statements(database: str = DATABASE) -> Iterator[str]:
    """Every statement, in order, without a semicolon. A repeat changes nothing."""
    for role in ROLES:
        name = f"{database}_{role.name}"
        yield f"CREATE ROLE IF NOT EXISTS {name}"
        yield f"CREATE SETTINGS PROFILE OR REPLACE {name} SETTINGS {', '.join(role.settings)} TO {name}"
        for privileges, objects in role.grants:
            for one in objects:
                yield f"GRANT {privileges} ON {database}.{one} TO {name}"
        for privileges, objects in role.revokes:
            for one in objects:
                yield f"REVOKE {privileges} ON {database}.{one} FROM {name}"
    yield f"GRANT CREATE DATABASE ON {database}.* TO {database}_admin"
    yield (
        f"CREATE QUOTA OR REPLACE {database}_reader FOR INTERVAL 1 minute MAX queries = 600, execution_time = 600 "
        f"TO {database}_reader"
    )


_HEAD: Final = f"""\
-- Rendered from sinks/access.py by `make render`; do not edit.
-- Not a migration: whoever may manage access runs it after `shopmeter migrate`, and gives the roles to users, such as
--   CREATE USER sink IDENTIFIED WITH sha256_password BY '...' DEFAULT ROLE {DATABASE}_writer;
--   GRANT {DATABASE}_writer TO sink;
-- Untested against a server: the embedded engine of the tests has no users.
"""


def rendered_files() -> dict[str, str]:
    """Path in the repository -> text."""
    parts = [_HEAD]
    for role in ROLES:
        mine = [text for text in statements() if f"{DATABASE}_{role.name}" in text]
        parts.append(f"-- {role.purpose}\n" + "".join(f"{text};\n" for text in mine))
    return {ACCESS_FILE: "\n".join(parts)}
