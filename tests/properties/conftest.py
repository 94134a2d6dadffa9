"""An empty database on the real engine, and a reader's client on it."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from sinks.clickhouse import Address
from tests.fixtures.clickhouse import ClickHouseEndpoint
from tests.sinks.reading import Warehouse


@dataclass(frozen=True)
class House:
    """Where worlds are filled in, and where the report reads."""

    warehouse: Warehouse
    client: Any


@pytest.fixture(scope="module")
def address(clickhouse: ClickHouseEndpoint) -> Iterator[Address]:
    """A database for the worlds of a module: their stores have names of their own."""
    found = Address(clickhouse.url, f"test_{uuid4().hex[:12]}")
    root = clickhouse.client()
    root.command(f"CREATE DATABASE {found.database}")
    try:
        yield found
    finally:
        root.command(f"DROP DATABASE {found.database} SYNC")
        root.close()


@pytest.fixture
async def house(clickhouse: ClickHouseEndpoint, address: Address) -> AsyncIterator[House]:
    """Writer and reader."""
    writer = clickhouse.client(address.database)
    reader = await clickhouse.async_client(address.database, reader=True)
    try:
        yield House(Warehouse(address, writer), reader)
    finally:
        await reader.close()
        writer.close()
