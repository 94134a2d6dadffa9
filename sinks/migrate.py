"""The tables, views and stores in ClickHouse, brought to this Shopmeter's version by `clickhouse-migrations`.

Run it before the sink of a new version; it may run any number of times. Synchronous: it is a command, not a service.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from clickhouse_connect import get_client
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError
from clickhouse_migrations.connection import ClickhouseConnectConnection
from clickhouse_migrations.exceptions import MigrationException
from clickhouse_migrations.migration import MigrationStorage
from clickhouse_migrations.migrator import Migrator

from schemas.stores import Store
from sinks.clickhouse import Address

DIRECTORY: Final = Path(__file__).resolve().parent.parent / "deploy" / "clickhouse"

_STORE_COLUMNS: Final = (
    "store_id",
    "name",
    "zone",
    "currency",
    "settings",
    "version",
    "is_deleted",
)


class MigrationFailed(Exception):
    """The migration did not come to its end. What was applied stays; running it again goes on from there."""


class ServerAway(MigrationFailed):
    """No ClickHouse answers at the address."""


class Migrated(NamedTuple):
    """What a run changed. Empty twice: everything was there already."""

    applied: tuple[str, ...]
    """File names of the migrations that were run, in order."""
    stores: tuple[str, ...]
    """Stores that were added, changed or removed."""


def migrate(address: Address, stores: Mapping[str, Store], *, directory: Path = DIRECTORY) -> Migrated:
    """Create the database, apply what is missing, load the stores. Raises MigrationFailed, ServerAway."""
    try:
        with get_client(**address.client_options()) as first:
            first.command(f"CREATE DATABASE IF NOT EXISTS `{address.database}`")
        with get_client(**address.client_options(), database=address.database) as client:
            return migrate_with(client, stores, directory=directory)
    except (ClickHouseError, OSError) as error:
        said = " ".join(str(error).split())[:500]
        # Refused, cut off or timed out; an error of ClickHouse itself has a code.
        is_away = isinstance(error, OperationalError) and error.code is None
        kind = ServerAway if is_away else MigrationFailed
        raise kind(f"{address.url}, database {address.database}: {said}") from error


def migrate_with(client: Any, stores: Mapping[str, Store], *, directory: Path = DIRECTORY) -> Migrated:
    """The same over a clickhouse-connect client whose database exists (an embedded engine's, for one)."""
    storage = MigrationStorage(directory)
    migrator = Migrator(ClickhouseConnectConnection(client))
    try:
        migrator.init_schema()
        names = storage.migration_filenames()
        migrations = sorted(storage.migrations(), key=lambda migration: migration.version)
        # A file's statements are not one transaction; each is CREATE IF NOT EXISTS or OR REPLACE, so a repeat is safe.
        applied = migrator.apply_migration(migrations, multi_statement=True, sources=names)
    except MigrationException as error:
        raise MigrationFailed(f"{directory}: {error}") from error
    return Migrated(tuple(names[migration.version] for migration in applied), _load_stores(client, stores))


def _load_stores(client: Any, stores: Mapping[str, Store]) -> tuple[str, ...]:
    """Write the stores that differ from what the table says; the others keep their version."""
    known = {
        row[0]: row
        for row in client.query(f"SELECT {', '.join(_STORE_COLUMNS)} FROM stores FINAL").result_rows
    }
    changed: list[tuple[Any, ...]] = []
    for store_id, store in sorted(stores.items()):
        row = _store_row(store_id, store)
        if row != known.get(store_id, ())[:-2]:
            changed.append((*row, 0))
    changed += [(*row[:-2], 1) for store_id, row in sorted(known.items()) if store_id not in stores]
    if changed:
        # Above every version ever used, deleted rows' too, so that a store may come back.
        version = client.query("SELECT max(version) FROM stores").result_rows[0][0] + 1
        rows = [[*row[:-1], version, row[-1]] for row in changed]
        client.insert("stores", rows, column_names=list(_STORE_COLUMNS), settings={"async_insert": 0})
    return tuple(str(row[0]) for row in changed)


def _store_row(store_id: str, store: Store) -> tuple[str, ...]:
    settings = json.dumps(msgspec.to_builtins(store), sort_keys=True)
    return (store_id, store.name, store.zone, store.currency, settings)
