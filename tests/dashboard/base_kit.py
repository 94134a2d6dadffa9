"""What the tests of the customer base share: orders by clock time in Madrid, questions, and answers as plain dicts."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from dashboard.asking import Value
from dashboard.customers import CustomerAsk, customer_values
from dashboard.periods import Clock
from schemas.metrics.customers import ASSISTED, METRICS
from schemas.rows import OrderRow
from schemas.stores import Store
from tests.sinks.making import order

STORE = Store(zone="Europe/Madrid", currency="EUR")
MADRID = ZoneInfo("Europe/Madrid")
NAMES = [metric.name for metric in METRICS]
WINDOW = STORE.attribution_window_ms


def ms(text: str) -> int:
    """Epoch ms of a clock time in Madrid."""
    return round(datetime.fromisoformat(text).replace(tzinfo=MADRID).timestamp() * 1000)


def days(instant: int) -> int:
    """The Madrid date of an instant, as rows hold it."""
    return datetime.fromtimestamp(instant / 1000, tz=MADRID).date().toordinal() - date(1970, 1, 1).toordinal()


def bought(order_id: str, person: str, at: str, total: int = 1000, **fields: Any) -> OrderRow:
    """An order of one line, without shipping unless `extra` says so."""
    instant = ms(at)
    day = days(instant)
    extra = fields.get("extra", 0)
    defaults: dict[str, Any] = {
        "person": person,
        "captured_at": instant,
        "store_date": day,
        "born": day,
    }
    return order(order_id, ("p1", 1, total - extra, "none", ""), **{**defaults, **fields})


def taken_back(*steps: tuple[str, str, int, int]) -> dict[str, Any]:
    """(kind, clock time, of the total, of the line)"""
    instants = [ms(at) for _, at, _, _ in steps]
    return {
        "adjustment": [kind for kind, *_ in steps],
        "adjustment_id": ["" if kind == "cancel" else f"r{n}" for n, (kind, *_) in enumerate(steps)],
        "adjusted_at": instants,
        "adjustment_date": [days(at) for at in instants],
        "adjustment_amount": [amount for _, _, amount, _ in steps],
        "adjustment_lines": [[line] for *_, line in steps],
    }


def ask(as_of: str, *, store: Store = STORE, **fields: Any) -> CustomerAsk:
    """About acme; the period is as_of's day unless said otherwise."""
    today = Clock(store.zone).day(ms(as_of))
    return CustomerAsk(
        **{"store_id": "acme", "store": store, "as_of": ms(as_of), "first": today, "last": today, **fields}
    )


def told(values: list[Value], metric: str) -> dict[str, Any]:
    """The values of one metric: what tells them apart (joined with |) -> number."""
    return {
        "|".join((*value.by, *((value.currency,) if value.currency else ()))): value.current
        for value in values
        if value.metric == metric
    }


async def customer_base(client: Any, asked: CustomerAsk) -> list[Value]:
    """M43 to M48."""
    return await customer_values(client, asked, [name for name in NAMES if name not in ASSISTED])


async def assisted_sales(client: Any, asked: CustomerAsk) -> list[Value]:
    """M49 and M50."""
    return await customer_values(client, asked, ASSISTED)
