"""What servers need before the pipeline's processes start: a stores file, topics, tables; and whether they answer."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deploy.local.errors import LocalStackError
from deploy.local.ports import LOOPBACK
from schemas.stores import Store
from streams.directories import make_private
from streams.settings import Settings

ANSWER_SECONDS: Final = 5.0

DEFAULT_STORES: Final = """\
# The stores (tenants) of this directory, made because the project had no stores.toml. Put one into the
# working directory to have stores of your own; `shopmeter doctor` reads it.
version = 1

[stores.acme]
name = "Acme"
zone = "Europe/Madrid"
currency = "EUR"
"""


class StackError(LocalStackError):
    """The stack cannot be started as it was asked for; the message says what to change."""


def stores_file_of(settings: Settings, data: Path) -> Path:
    """The project's `stores.toml` if there is one (or one is named), else the one of the data directory; absolute."""
    named = settings.stores_file
    if named.exists() or named != Settings.model_fields["stores_file"].default:
        return named.absolute()
    return data.absolute() / "stores.toml"


def write_default_stores(settings: Settings) -> None:
    """Give a fresh data directory a `stores.toml` with one store, `acme`; one that is there stays as it is."""
    path = settings.stores_file
    if path == settings.data_dir / "stores.toml" and not path.exists():
        make_private(path.parent)
        path.write_text(DEFAULT_STORES, encoding="utf-8")


async def make_topics(settings: Settings) -> str:
    """Make what is missing; how many there are. StackError if one is not as it must be."""
    # Imported late, like the migration: the broker starts while Python is still reading libraries.
    from streams.topics import create_topics

    report = await create_topics(settings)
    if report.problems:
        raise StackError("topics: " + "; ".join(str(problem) for problem in report.problems))
    count = len(report.created) + len(report.existing)
    return f"{count} ready, {settings.partitions} partitions each, keyed by store and person"


def make_schema(settings: Settings, stores: Mapping[str, Store]) -> str:
    """Bring tables, views and stores to this version; what was done. Blocks. MigrationFailed."""
    from sinks.migrate import migrate
    from streams.sink import address_of

    migrated = migrate(address_of(settings), stores)
    applied = f"{len(migrated.applied)} migrations applied" if migrated.applied else "up to date"
    return f"{applied}; stores: {', '.join(sorted(stores))}"


async def answers_ok(port: int, path: str) -> bool:
    """Whether a server on loopback answers GET `path` with 200 right now."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
                status = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return status.split()[1:2] == [b"200"]
