"""A migrated database on the real engine with three stores, and a reader's client on it."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest

from schemas.stores import Rfm, Store
from sinks.clickhouse import Address
from sinks.migrate import migrate
from tests.dashboard.asking import Desk
from tests.fixtures.clickhouse import ClickHouseEndpoint
from tests.sinks.reading import Warehouse

STORES = {
    "acme": Store(name="Acme"),
    "geneva": Store(currency="CHF", reporting_currency="EUR"),
    "madrid": Store(zone="Europe/Madrid"),
    "tokio": Store(
        zone="Asia/Tokyo",
        currency="JPY",
        rfm=Rfm(method="fixed", r_days=(20, 60, 90, 120), f=(2, 2, 3, 3), m=(1, 10, 100, 4_000)),
    ),
}


@pytest.fixture(scope="module")
def warehouse(clickhouse: ClickHouseEndpoint) -> Iterator[Warehouse]:
    """Tables and views, no rows."""
    address = Address(clickhouse.url, f"test_{uuid4().hex[:12]}")
    migrate(address, STORES)
    client = clickhouse.client(address.database)
    try:
        yield Warehouse(address, client)
    finally:
        client.command(f"DROP DATABASE {address.database} SYNC")
        client.close()


@pytest.fixture
async def desk(clickhouse: ClickHouseEndpoint, warehouse: Warehouse) -> AsyncIterator[Desk]:
    """Where a test fills rows in and asks; empty again afterwards."""
    client: Any = await clickhouse.async_client(warehouse.address.database, reader=True)
    try:
        yield Desk(warehouse, client)
    finally:
        await client.close()
        warehouse.empty()
