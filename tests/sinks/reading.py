"""Rows in through the sink, answers out of the views."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from schemas.tables import TABLES, month_of
from sinks.base import Batch
from sinks.clickhouse import Address, ClickHouseSink
from tests.sinks.making import encode

TABLE_OF = {table.row: table.name for table in TABLES.values()}


def batches_of(*rows: Struct) -> list[Batch]:
    """Batches as the sink makes them, one a table and month."""
    groups: dict[tuple[str, int], list[bytes]] = defaultdict(list)
    for row in rows:
        groups[TABLE_OF[type(row)], month_of(row.born)].append(encode(row))  # type: ignore[attr-defined]
    return [Batch(table, month, wires) for (table, month), wires in groups.items()]


@dataclass(frozen=True)
class Warehouse:
    """A migrated database."""

    address: Address
    client: Any

    async def fill(self, *rows: Struct) -> None:
        """Write rows as the sink does."""
        sink = ClickHouseSink(self.address)
        try:
            for batch in batches_of(*rows):
                await sink.write(batch)
        finally:
            await sink.close()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The answer as tuples."""
        answer: list[tuple[Any, ...]] = self.client.query(query).result_rows
        return answer

    def value(self, query: str) -> Any:
        """The only value of the answer."""
        ((value,),) = self.rows(query)
        return value

    def empty(self) -> None:
        """Forget all rows."""
        for table in TABLES:
            self.client.command(f"TRUNCATE TABLE {table}")
