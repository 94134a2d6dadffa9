"""Revenue in a store's reporting currency: one sum over currencies, and how many orders are not in it (E4)."""

from decimal import Decimal
from typing import Any

import pytest

from dashboard.asking import Ask, AskError, State
from dashboard.series import series
from tests.dashboard.asking import Desk
from tests.sinks.making import adjusted, at, order

EUR = {"reporting_currency": "EUR", "reporting_exponent": 2}


def told(rate: str, *paid: int, extra: int = 0, taken: tuple[tuple[int, list[int]], ...] = ()) -> Any:
    """Fields of an order of store geneva with its amounts in euro cents."""
    return {
        **EUR,
        "store_id": "geneva",
        "reporting_rate": rate,
        "reported": 1,
        "reporting_paid": list(paid),
        "reporting_total": sum(paid) + extra,
        "reporting_adjustment_amount": [amount for amount, _ in taken],
        "reporting_adjustment_lines": [lines for _, lines in taken],
    }


WAITING: dict[str, Any] = {**EUR, "store_id": "geneva", "currency": "USD"}
BACK = ("refund", "r1", 2, 1_000, [1_000, 0])
ROWS = (
    # 30.00 dollars and shipping of 5.00 at 0.9, of which 10.00 came back a day later.
    order(
        "o1",
        ("p1", 1, 1_000, "direct", "B"),
        ("p2", 1, 2_000, "assisted", "A"),
        extra=500,
        currency="USD",
        **told("0.9", 900, 1_800, extra=450, taken=((900, [900, 0]),)),
        **adjusted(BACK),
    ),
    order("o2", ("p1", 1, 5_000, "none", ""), **told("1", 5_000)),
    order("o3", ("p1", 1, 700, "none", ""), currency="JPY", exponent=0, **told("0.006", 420)),
)
LATE = order("o4", ("p1", 1, 1_000, "direct", "B"), ("p2", 1, 1, "none", ""), **WAITING, **adjusted(BACK))


async def test_orders_of_all_currencies_are_one_sum(desk: Desk) -> None:
    await desk.fill(*ROWS)
    assert await desk.numbers("total_revenue", "total_revenue_reporting", store="geneva") == {
        ("total_revenue", "EUR"): 5_000,
        ("total_revenue", "JPY"): 700,
        ("total_revenue", "USD"): 3_500,
        ("total_revenue_reporting", "EUR"): 5_000 + 420 + 3_150,
    }
    answer = await desk.ask(
        "refunded_revenue_reporting",
        "canceled_revenue_reporting",
        "net_revenue_reporting",
        "recommendation_direct_revenue_reporting",
        "recommendation_assisted_revenue_reporting",
        "unattributed_revenue_reporting",
        "recommendation_direct_revenue_net_reporting",
        "unconverted_orders",
        first=1,
        last=2,
        store="geneva",
    )
    assert [value.current for value in answer.values] == [900, 0, 7_670, 900, 1_800, 5_420, 0, 0]
    assert {value.left_out for value in answer.values} == {0, None}
    assert not any(value.is_provisional for value in answer.values)
    value = answer.one("net_revenue_reporting")
    assert (value.currency, value.exponent, value.state) == ("EUR", 2, State.NEW)


async def test_what_is_left_out_is_counted_and_compared_with_nothing(desk: Desk) -> None:
    await desk.fill(*ROWS, LATE)
    answer = await desk.ask(
        "total_revenue_reporting",
        "refunded_revenue_reporting",
        "net_revenue_reporting",
        "unconverted_orders",
        "unconverted_adjustments",
        first=1,
        last=2,
        store="geneva",
    )
    assert [(value.current, value.left_out, value.is_provisional) for value in answer.values] == [
        (8_570, 1, True),
        (900, 1, True),
        (7_670, 2, True),
        (1, None, False),
        (1, None, False),
    ]
    value = (await desk.ask("total_revenue_reporting", first=2, last=2, store="geneva")).values[0]
    assert (value.current, value.previous, value.left_out, value.previous_left_out) == (0, 8_570, 0, 1)
    assert (value.state, value.change_pct, value.is_provisional) == (None, None, False)


async def test_a_widget_whose_orders_all_wait_is_there_with_nothing(desk: Desk) -> None:
    await desk.fill(LATE)
    answer = await desk.ask("recommendation_direct_revenue_reporting", by=("widget_id",), store="geneva")
    assert [(value.by, value.currency, value.current, value.left_out) for value in answer.values] == [
        (("",), "EUR", 0, 1),
        (("B",), "EUR", 0, 1),
    ]


async def test_a_series_says_of_each_day_what_it_lacks(desk: Desk) -> None:
    await desk.fill(*ROWS, LATE)
    asked = await desk.ask("total_revenue_reporting", first=1, last=2, store="geneva")
    found = await series(desk.client, asked.ask)
    (line,) = found.lines
    assert [(point.current, point.left_out) for point in line.points] == [(8_570, 1), (0, 0)]


async def test_a_store_without_a_reporting_currency_has_none_of_it(desk: Desk) -> None:
    await desk.fill(order("o1", ("p1", 1, 1_000, "none", "")))
    everything = await desk.ask()
    assert not [value.metric for value in everything.values if "reporting" in value.metric]
    assert not [value.metric for value in everything.values if "unconverted" in value.metric]
    with pytest.raises(AskError, match="total_revenue_reporting: store acme has no reporting currency"):
        await desk.ask("total_revenue_reporting")
    with pytest.raises(AskError, match="store acme has no reporting currency"):
        await series(desk.client, Ask(store="acme", as_of=at(9), metrics=("unconverted_orders",)))


async def test_a_view_has_it_in_the_row_of_the_reporting_currency(desk: Desk) -> None:
    await desk.fill(*ROWS, LATE)
    assert desk.warehouse.rows(
        "SELECT currency, total_revenue, total_revenue_reporting, unconverted_orders FROM revenue_daily"
        " WHERE store_date = '2026-01-01' ORDER BY currency"
    ) == [
        ("EUR", Decimal("50"), Decimal("85.7"), 1),
        ("JPY", Decimal("700"), 0, 0),
        ("USD", Decimal("45.01"), 0, 0),
    ]
    assert desk.warehouse.rows(
        "SELECT widget_id, recommendation_direct_revenue_reporting, unconverted_orders"
        " FROM recommendation_revenue_by_widget"
        " WHERE store_date = '2026-01-01' AND currency = 'EUR' ORDER BY widget_id"
    ) == [("", 0, 1), ("A", 0, 0), ("B", 9, 1)]
