"""A migrated database on the real engine, for all tests of a module."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from schemas.stores import Store
from sinks.clickhouse import Address
from sinks.migrate import migrate
from tests.fixtures.clickhouse import ClickHouseEndpoint
from tests.sinks.reading import Warehouse


@pytest.fixture(scope="module")
def warehouse(clickhouse: ClickHouseEndpoint) -> Iterator[Warehouse]:
    """Tables and views, no rows."""
    address = Address(clickhouse.url, f"test_{uuid4().hex[:12]}")
    migrate(address, {"acme": Store()})
    client = clickhouse.client(address.database)
    try:
        yield Warehouse(address, client)
    finally:
        client.command(f"DROP DATABASE {address.database} SYNC")
        client.close()
