"""The views of the customer base say what a report says, of a generated shop of two stores in two zones."""

import random
from datetime import UTC, date, datetime
from typing import Any, Final

import pytest
from msgspec import Struct

from dashboard.asking import Value
from dashboard.customers import CustomerAsk, customer_values
from dashboard.periods import Clock
from schemas.metrics import METRICS
from schemas.metrics.customer_views import VIEWS
from tests.dashboard.asking import Desk
from tests.dashboard.base_kit import NAMES
from tests.dashboard.conftest import STORES
from tests.sinks.making import DAY_MS, notification, order, watermark

# 06:00 in Madrid: a snapshot's own instant; 14:00 in Tokyo: two hours after one.
AS_OF: Final = round(datetime(2026, 3, 10, 5, tzinfo=UTC).timestamp() * 1000)
FIRST: Final = date(2025, 1, 1)
LAST: Final = date(2026, 3, 9)


def shop(store_id: str, seed: int) -> list[Struct]:
    """Receipts over fourteen months, some of them taken back, and what was sent before some: once, or again later."""
    rng = random.Random(seed)
    clock = Clock(STORES[store_id].zone)
    home = STORES[store_id].currency

    def day(instant: int) -> int:
        return (clock.day(instant) - date(1970, 1, 1)).days

    rows: list[Struct] = []
    for number in range(220):
        at = AS_OF - rng.randrange(430 * DAY_MS) + 2 * DAY_MS  # some come after the snapshot
        person = f"{rng.choice('ccca')}:{rng.randrange(60)}"
        total = rng.randrange(100, 9_000)
        back: dict[str, Any] = {}
        if rng.random() < 0.3:
            # All of it, or a part; often in another month than the receipt.
            kind, taken = rng.choice([("cancel", total), ("refund", total), ("refund", total // 3)])
            when = at + rng.randrange(60 * DAY_MS)
            back = {
                "adjustment": [kind], "adjustment_id": ["r"], "adjusted_at": [when],
                "adjustment_date": [day(when)], "adjustment_amount": [taken], "adjustment_lines": [[taken]],
            }  # fmt: skip
        currency, exponent = rng.choice([(home, 0 if home == "JPY" else 2), ("USD", 2)])
        rows.append(
            order(
                f"{store_id}-{number}", ("p1", 1, total, "none", ""), store_id=store_id, person=person,
                captured_at=at, store_date=day(at), born=at // DAY_MS, currency=currency, exponent=exponent, **back,
            )
        )  # fmt: skip
        for again in range(rng.choice([0, 0, 1, 1, 2])):
            sent = at - rng.randrange(20 * DAY_MS) - again * 90 * DAY_MS
            rows.append(
                notification(
                    f"n{number}",
                    person,
                    store_id=store_id,
                    sent_at=sent,
                    store_date=day(sent),
                    event_id=f"e{again}",
                )
            )
    return rows


@pytest.fixture
async def filled(desk: Desk) -> Desk:
    """Both stores."""
    await desk.fill(*shop("madrid", 1), *shop("tokio", 2), watermark(0, AS_OF))
    return desk


@pytest.mark.parametrize("store_id", ["madrid", "tokio"])
async def test_views_and_report_agree_in_every_value(filled: Desk, store_id: str) -> None:
    asked = CustomerAsk(store_id=store_id, store=STORES[store_id], as_of=AS_OF, first=FIRST, last=LAST)
    by_month = await customer_values(filled.client, asked, NAMES)
    fine = CustomerAsk(
        store_id=store_id, store=STORES[store_id], as_of=AS_OF, first=None, last=None, by=("recency_months",)
    )
    values = [value for value in by_month if value.metric != "customers_by_recency"]
    values += await customer_values(filled.client, fine, ["customers_by_recency"])
    reported = {cell: number for cell, number in map(cell_of, values) if number is not None}
    assert {metric for metric, *_ in reported} == set(NAMES)
    seen = viewed(filled, store_id)
    for cell, number in reported.items():
        # What no receipt tells is no row of a view.
        assert seen.pop(cell, 0) == pytest.approx(float(number), rel=1e-12), cell
    assert {cell: number for cell, number in seen.items() if number} == {}


async def test_who_spent_more_than_64_bits_hold_is_among_the_best(desk: Desk) -> None:
    """By report and by view: three receipts of February, where 4,000 yen would do."""
    receipts = []
    for number in range(3):
        at = AS_OF - (16 + number) * DAY_MS
        day = (Clock(STORES["tokio"].zone).day(at) - date(1970, 1, 1)).days
        placed: dict[str, Any] = {"captured_at": at, "store_date": day, "born": at // DAY_MS}
        paid: dict[str, Any] = {"currency": "JPY", "exponent": 0}
        receipts.append(
            order(f"o{number}", ("p1", 1, 4 * 10**18, "none", ""), store_id="tokio", **placed, **paid)
        )
    await desk.fill(*receipts, watermark(0, AS_OF))
    february = date(2026, 2, 1)
    asked = CustomerAsk(store_id="tokio", store=STORES["tokio"], as_of=AS_OF, first=february, last=february)
    values = await customer_values(desk.client, asked, ["best_customers"])
    assert [value.current for value in values] == [1]
    assert desk.warehouse.rows(
        "SELECT best_customers FROM customers_monthly WHERE store_id = 'tokio' AND month = '2026-02-01'"
    ) == [(1,)]


def cell_of(value: Value) -> tuple[tuple[str, str, str], Any]:
    """(metric, month or recency, currency) and the number; money in minor units."""
    return (value.metric, value.by[0] if value.by else "", value.currency or ""), value.current


def viewed(desk: Desk, store_id: str) -> dict[tuple[str, str, str], Any]:
    """The same of all views."""
    found = {}
    for view in VIEWS:
        answer = desk.warehouse.client.query(f"SELECT * FROM {view.name} WHERE store_id = '{store_id}'")
        for row in answer.named_results():
            by = f"{row['month']:%Y-%m}" if "month" in row else str(row.get("months_since", ""))
            for name in set(view.columns) & set(NAMES):
                money = f"{name}_minor" in row
                number = row[f"{name}_minor" if money else name]
                if number is not None:
                    found[name, by, row.get("currency", "")] = float(number)
    return found


def test_every_metric_of_the_customer_base_is_a_column_with_its_definition(desk: Desk) -> None:
    told = dict(
        desk.warehouse.rows("SELECT name, comment FROM system.columns WHERE database = currentDatabase()")
    )
    for name in NAMES:
        assert told[name].startswith(f"{METRICS[name].number}: ")
