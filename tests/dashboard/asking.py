"""Rows in, reports out: what the tests of the read side share."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from msgspec import Struct

from dashboard.asking import Ask, Report, Value
from dashboard.periods import Period
from dashboard.report import report
from tests.sinks.making import at
from tests.sinks.reading import Warehouse

NEW_YEAR = date(2026, 1, 1)


@dataclass(frozen=True)
class Desk:
    """A database and a reader's client on it."""

    warehouse: Warehouse
    client: Any

    async def fill(self, *rows: Struct) -> None:
        """Rows as the sink writes them."""
        await self.warehouse.fill(*rows)

    async def ask(self, *metrics: str, first: int = 1, last: int = 1, **asked: Any) -> Report:
        """A report of days of January 2026, as of February unless said otherwise."""
        custom = {
            "period": Period.CUSTOM,
            "first": NEW_YEAR.replace(day=first),
            "last": NEW_YEAR.replace(day=last),
        }
        defaults: dict[str, Any] = {"store": "acme", "as_of": at(60), "metrics": metrics}
        period = {} if "period" in asked else custom
        return await report(self.client, Ask(**{**defaults, **period, **asked}))

    async def numbers(self, *metrics: str, **asked: Any) -> dict[Any, Any]:
        """Metric (with dimensions and currency, where there are any) -> current value."""
        return {key_of(value): value.current for value in (await self.ask(*metrics, **asked)).values}


def key_of(value: Value) -> Any:
    """`name`, or (name, dimensions..., currency) as far as there are any."""
    key = (value.metric, *value.by, *((value.currency,) if value.currency else ()))
    return key[0] if len(key) == 1 else key
