"""Worlds through the pipeline into the real engine: many in one database, under store names of their own."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from schemas.stores import Store
from schemas.tables import TABLES
from sinks.clickhouse import Address
from sinks.migrate import migrate
from tests.driver import PipelineDriver
from tests.sinks.reading import Warehouse
from tests.worlds import World

# Of partitions, hours and records, not of stores: worlds in one database would hide each other's.
LEFT_OUT: Final = ("watermarks", "ledger", "dead_letters")
REPEATED: Final = 0.1
"""Which part of the rows is inserted twice, as a sink does that dies before it commits."""


@dataclass(frozen=True)
class Settled:
    """A world and its number in the database."""

    number: int
    world: World

    def name(self, store_id: str) -> str:
        """What its store is called in the database."""
        return f"w{self.number}-{store_id}"

    @property
    def stores(self) -> dict[str, Store]:
        """Its stores as the database knows them."""
        return {self.name(store_id): store for store_id, store in self.world.stores.items()}


def rows_of(settled: Settled, *, partitions: int, crashes: bool = True) -> list[Any]:
    """Every row that the pipeline writes for the world, all versions, arriving in pieces with crashes between."""
    chance = random.Random(settled.number)
    driver = PipelineDriver(settled.world.stores, rates=settled.world.rates, partitions=partitions)
    records = list(settled.world.records)
    while records:
        size = chance.randint(1, 25)
        driver.pipe(records[:size], chunk=chance.randint(1, 7), commit=chance.random() < 0.5)
        del records[:size]
        if crashes and chance.random() < 0.1:
            driver.crash()
    driver.commit()
    if driver.dead_letters:
        raise AssertionError(f"{driver.dead_letters[0]}: a valid record was refused in {settled.world!r}")
    rows = [row for name in TABLES if name not in LEFT_OUT for row in driver.written(name)]
    rows += [row for row in rows if chance.random() < REPEATED]
    return [msgspec.structs.replace(row, store_id=settled.name(row.store_id)) for row in rows]


def open_house(address: Address, worlds: Sequence[Settled]) -> Mapping[str, Store]:
    """Tables, views and all stores of the worlds. The stores as the database knows them."""
    stores = {name: store for settled in worlds for name, store in settled.stores.items()}
    migrate(address, stores)
    return stores


async def fill(warehouse: Warehouse, worlds: Sequence[Settled], *, partitions: Sequence[int]) -> int:
    """The rows of all worlds, written as the sink does. How many they were."""
    rows = [
        row
        for settled in worlds
        for row in rows_of(settled, partitions=partitions[settled.number % len(partitions)])
    ]
    await warehouse.fill(*rows)
    return len(rows)
