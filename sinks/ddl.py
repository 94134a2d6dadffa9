"""The tables' migration, rendered from `schemas.tables`: what a row is, is said once, beside its struct."""

from pathlib import Path
from typing import Final

from schemas import rows
from schemas.tables import TABLES, create_table, field_comments

TABLES_FILE: Final = "deploy/clickhouse/0001_tables.sql"

_HEAD: Final = """\
-- Rendered from schemas/rows.py and schemas/tables.py by `make render`; do not edit.
-- Rows are absolute and versioned: read them with FINAL, or through the views of the next migration.
"""


def rendered_files() -> dict[str, str]:
    """Path in the repository -> text."""
    comments = field_comments(Path(rows.__file__).read_text(encoding="utf-8"))
    statements = [
        create_table(table, comments=comments[table.row.__name__]) + ";\n" for table in TABLES.values()
    ]
    return {TABLES_FILE: _HEAD + "\n" + "\n".join(statements)}
