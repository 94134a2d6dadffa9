"""Migrations and rendered DDL, on the real engine."""

import shutil
from pathlib import Path

import pytest

from schemas.stores import Store
from schemas.tables import TABLES
from sinks.clickhouse import Address
from sinks.ddl import TABLES_FILE, rendered_files
from sinks.migrate import DIRECTORY, Migrated, MigrationFailed, ServerAway, migrate
from tests.fixtures.clickhouse import ClickHouseEndpoint
from tests.sinks.reading import Warehouse

FILES = ("0001_tables.sql", "0002_views.sql", "0003_metrics.sql", "0004_stores.sql", "0005_customers.sql")


def test_the_rendered_migration_is_fresh() -> None:
    ((path, text),) = rendered_files().items()
    assert path == TABLES_FILE
    assert (DIRECTORY / Path(path).name).read_text(encoding="utf-8") == text


def test_a_second_run_applies_nothing(clickhouse: ClickHouseEndpoint, clickhouse_database: str) -> None:
    address = Address(clickhouse.url, clickhouse_database)
    stores = {"acme": Store(zone="Europe/Berlin"), "tokio": Store(currency="JPY")}
    assert migrate(address, stores) == Migrated(FILES, ("acme", "tokio"))
    assert migrate(address, stores) == Migrated((), ())


def test_the_database_is_created(clickhouse: ClickHouseEndpoint, clickhouse_database: str) -> None:
    with clickhouse.client() as client:
        client.command(f"DROP DATABASE {clickhouse_database}")
    assert migrate(Address(clickhouse.url, clickhouse_database), {}).applied == FILES


def test_stores_change_leave_and_come_back(clickhouse: ClickHouseEndpoint, clickhouse_database: str) -> None:
    address = Address(clickhouse.url, clickhouse_database)
    migrate(address, {"acme": Store(), "old": Store()})
    assert migrate(address, {"acme": Store(name="Acme")}).stores == ("acme", "old")
    with clickhouse.client(clickhouse_database) as client:
        assert client.query("SELECT store_id, name FROM store").result_rows == [("acme", "Acme")]
        assert migrate(address, {"acme": Store(name="Acme"), "old": Store(zone="Asia/Tokyo")}).stores == (
            "old",
        )
        assert client.query("SELECT store_id, zone FROM store ORDER BY 1").result_rows == [
            ("acme", "UTC"),
            ("old", "Asia/Tokyo"),
        ]


def test_a_migration_that_was_changed_after_it_ran_is_refused(
    clickhouse: ClickHouseEndpoint, clickhouse_database: str, tmp_path: Path
) -> None:
    copy = tmp_path / "migrations"
    shutil.copytree(DIRECTORY, copy, ignore=shutil.ignore_patterns("__pycache__"))
    address = Address(clickhouse.url, clickhouse_database)
    migrate(address, {}, directory=copy)
    with (copy / FILES[1]).open("a") as file:
        file.write("-- changed\n")
    with pytest.raises(MigrationFailed, match="md5"):
        migrate(address, {}, directory=copy)


def test_a_server_that_is_away_is_one_clear_line() -> None:
    with pytest.raises(ServerAway, match=r"^http://127.0.0.1:1, database shopmeter: "):
        migrate(Address("http://127.0.0.1:1", "shopmeter"), {})


def test_a_server_that_refuses_is_not_away(clickhouse: ClickHouseEndpoint) -> None:
    with pytest.raises(MigrationFailed) as refused:
        migrate(Address(clickhouse.url, "no`name"), {})
    assert not isinstance(refused.value, ServerAway)


@pytest.mark.parametrize("url", ["127.0.0.1:8123", "clickhouse://x", "http://"])
def test_an_address_that_is_no_http_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"clickhouse\.url"):
        Address(url, "shopmeter").client_options()


def test_the_tables_are_what_the_row_structs_say(warehouse: Warehouse) -> None:
    for table in TABLES.values():
        described = warehouse.rows(
            f"DESCRIBE {table.name} SETTINGS print_pretty_type_names = 0",
        )
        assert [row[:2] for row in described] == [
            *((column.name, column.type) for column in table.columns),
            *((column.name, column.type) for column in table.derived),
        ]


def test_every_column_of_every_view_says_what_it_is(warehouse: Warehouse) -> None:
    # The engine keeps no comments for the columns of a view with parameters.
    silent = warehouse.rows(
        "SELECT table, name FROM system.columns WHERE database = currentDatabase() AND comment = '' AND table IN"
        " (SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View')"
    )
    assert silent == []
    views = warehouse.rows(
        "SELECT name, comment FROM system.tables WHERE database = currentDatabase() AND engine = 'View'"
    )
    assert len(views) > 20
    assert [name for name, comment in views if not comment] == []


def test_every_view_reads_its_tables_with_final(warehouse: Warehouse) -> None:
    queries = warehouse.rows(
        "SELECT name, as_select FROM system.tables WHERE database = currentDatabase() AND engine = 'View'"
    )
    for name, query in queries:
        for table in (*TABLES, "stores"):
            reads = query.count(f".{table} ") + query.count(f".{table}\n")
            finals = query.count(f".{table} FINAL") + sum(
                query.count(f".{table} AS {alias} FINAL") for alias in ("o", "l", "e", "j", "n", "d")
            )
            # The longest session of all versions is a bound as good as that of the last ones.
            bounds = query.count(f".{table} WHERE (toDate(closes_at) - born) > 2")
            assert reads == finals + bounds, f"{name} reads {table} without FINAL"
