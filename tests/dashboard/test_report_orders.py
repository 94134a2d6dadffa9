"""Orders, revenue and what was taken back (M27 to M31), against values worked out by hand."""

from fractions import Fraction

import pytest

from dashboard.asking import AskError, State
from tests.dashboard.asking import Desk
from tests.sinks.making import adjusted, at, date, order


async def test_revenue_of_a_day_beside_the_day_before(desk: Desk) -> None:
    await desk.fill(
        order("o1", ("p1", 2, 10_000, "direct", "B"), ("p3", 1, 3_000, "assisted", "A"), extra=1_000, day=2),
        order("o2", ("p1", 4, 1_000, "none", ""), day=2),
        order("o3", ("p1", 1, 6_000, "none", ""), day=1),
    )
    answer = await desk.ask(
        "total_revenue",
        "total_orders",
        "average_ticket",
        "items_per_order",
        "average_price_per_item",
        first=2,
        last=2,
    )
    revenue = answer.one("total_revenue")
    assert (revenue.current, revenue.previous, revenue.currency, revenue.exponent) == (
        15_000,
        6_000,
        "EUR",
        2,
    )
    assert (revenue.change_pct, revenue.change_pp, revenue.state) == (Fraction(150), None, State.UP)
    assert answer.one("total_orders").current == 2
    ticket = answer.one("average_ticket")
    assert (ticket.current, ticket.previous) == (7_500, 6_000)
    assert (ticket.numerator, ticket.denominator, ticket.previous_denominator) == (15_000, 2, 1)
    assert answer.one("items_per_order").current == Fraction(7, 2)
    assert answer.one("average_price_per_item").current == 2_000


async def test_two_currencies_are_never_one_sum(desk: Desk) -> None:
    await desk.fill(
        order("o1", ("p", 1, 1_050, "none", ""), day=2),
        order("o2", ("p", 3, 900, "none", ""), day=2, currency="JPY", exponent=0),
        order("o3", ("p", 1, 7, "none", ""), day=1, currency="KWD", exponent=3),
    )
    found = await desk.numbers(
        "total_revenue", "total_orders", "average_price_per_item", "items_per_order", first=2, last=2
    )
    assert found == {
        ("total_revenue", "EUR"): 1_050,
        ("total_revenue", "JPY"): 900,
        ("total_revenue", "KWD"): 0,  # only the day before: the union of both periods
        "total_orders": 2,
        ("average_price_per_item", "EUR"): 1_050,
        ("average_price_per_item", "JPY"): 300,
        ("average_price_per_item", "KWD"): None,
        "items_per_order": 2,
    }
    assert await desk.numbers("total_orders", "items_per_order", first=2, last=2, by=("currency",)) == {
        ("total_orders", "EUR"): 1,
        ("total_orders", "JPY"): 1,
        ("total_orders", "KWD"): 0,
        ("items_per_order", "EUR"): 1,
        ("items_per_order", "JPY"): 3,
        ("items_per_order", "KWD"): None,
    }


async def test_what_is_taken_back_counts_on_its_own_day(desk: Desk) -> None:
    back = adjusted(("refund", "r1", 11, 4_000, [3_000, 1_000]), ("cancel", "", 12, 10_000, [7_000, 2_000]))
    await desk.fill(
        order("o1", ("p1", 2, 10_000, "direct", "B"), ("p3", 1, 3_000, "none", ""), extra=1_000, **back)
    )
    names = ("total_revenue", "canceled_revenue", "refunded_revenue", "net_revenue", "canceled_orders")

    async def on(first: int, last: int) -> list[object]:
        found = await desk.numbers(*names, first=first, last=last)
        return [found[name, "EUR"] for name in names[:4]] + [found["canceled_orders"]]

    assert await on(1, 1) == [14_000, 0, 0, 14_000, 0]
    assert await on(11, 11) == [0, 0, 4_000, -4_000, 0]
    assert await on(12, 12) == [0, 10_000, 0, -10_000, 1]
    assert await on(1, 31) == [14_000, 10_000, 4_000, 0, 1]


async def test_what_was_taken_back_long_before_its_order_came_counts_on_its_own_day(desk: Desk) -> None:
    back = adjusted(("refund", "r1", 1, 4_000, [4_000]))
    await desk.fill(order("o1", ("p1", 1, 10_000, "direct", "B"), day=25, born=date(25), **back))
    for last in (1, 31):
        found = await desk.numbers("refunded_revenue", first=1, last=last)
        assert found["refunded_revenue", "EUR"] == 4_000
    net = "recommendation_direct_revenue_net"
    assert await desk.numbers(net, by=("widget_id",)) == {(net, "B", "EUR"): -4_000}
    # Before the order is there it counts nowhere.
    assert await desk.numbers("refunded_revenue", as_of=at(24)) == {("refunded_revenue", "EUR"): 0}


async def test_nothing_sold_is_zero_in_the_currency_of_the_store(desk: Desk) -> None:
    assert await desk.numbers("total_revenue", "total_orders", "average_ticket", store="tokio") == {
        ("total_revenue", "JPY"): 0,
        "total_orders": 0,
        ("average_ticket", "JPY"): None,
    }


async def test_money_of_the_customer_base_may_be_asked_by_its_currency(desk: Desk) -> None:
    names = (
        "one_receipt_revenue",
        "repeat_revenue",
        "repeat_revenue_pct",
        "assisted_amount",
        "regular_amount",
    )
    await desk.fill(
        order("o1", ("p", 1, 1_000, "none", ""), person="c:ann", day=2),
        order("o2", ("p", 1, 900, "none", ""), person="c:bob", day=2, currency="JPY", exponent=0),
    )
    told = await desk.numbers(*names, "total_orders", first=2, last=2, by=("currency",))
    assert told.pop(("total_orders", "JPY")) == told.pop(("total_orders", "EUR")) == 1
    assert told == await desk.numbers(*names, first=2, last=2)
    assert {key[-1] for key in told} == {"EUR", "JPY"}
    with pytest.raises(AskError, match="repeat_customers can't be told apart by currency"):
        await desk.numbers("repeat_customers", by=("currency",))
