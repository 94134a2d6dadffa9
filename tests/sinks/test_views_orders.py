"""Views over orders: revenue, credit, refunds; values worked out by hand."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.sinks.making import adjusted, order
from tests.sinks.reading import Warehouse


@pytest.fixture(autouse=True)
def _empty(warehouse: Warehouse) -> Iterator[None]:
    yield
    warehouse.empty()


# 100.00 direct, 30.00 assisted, shipping 10.00 (golden case 1 of the metric contract).
GOLDEN = order("o1", ("p1", 2, 10_000, "direct", "B"), ("p3", 1, 3_000, "assisted", "A"), extra=1_000)


async def test_an_order_in_the_reporting_currency_or_nothing(warehouse: Warehouse) -> None:
    waiting: dict[str, Any] = {"reporting_currency": "KWD", "reporting_exponent": 3}
    told: dict[str, Any] = {**waiting, "reporting_rate": "0.3071", "reported": 1}
    await warehouse.fill(
        order("o1", ("p1", 1, 1_000, "none", ""), **told, reporting_total=3_071, reporting_paid=[3_071]),
        order("o2", ("p1", 1, 1_000, "none", ""), **waiting),
        order("o3", ("p1", 1, 1_000, "none", "")),
    )
    assert warehouse.rows(
        "SELECT order_id, reporting_currency, reporting_rate, reporting_total, reporting_total_minor"
        " FROM order_totals ORDER BY order_id"
    ) == [
        ("o1", "KWD", "0.3071", Decimal("3.071"), 3_071),
        ("o2", "KWD", "", None, None),
        ("o3", "", "", None, None),
    ]


async def test_an_order_and_its_lines(warehouse: Warehouse) -> None:
    await warehouse.fill(GOLDEN)
    assert warehouse.rows(
        "SELECT order_id, items, total, total_minor, shipping_minor, line_paid_minor, direct_minor,"
        " assisted_minor,"
        " unattributed_minor, canceled_minor, refunded_minor, net_minor, is_canceled FROM order_totals"
    ) == [("o1", 3, Decimal("140"), 14_000, 1_000, 13_000, 10_000, 3_000, 0, 0, 0, 14_000, 0)]
    assert warehouse.rows(
        "SELECT line, line_id, product_id, quantity, paid, paid_minor, unit_price_minor, credit, touch_kind,"
        " touch_product, widget_id, strategy, placement, taken_back_minor FROM order_lines ORDER BY line"
    ) == [
        (
            1,
            "1",
            "p1",
            2,
            Decimal("100"),
            10_000,
            5_000,
            "direct",
            "shown",
            "p1",
            "B",
            "also-bought",
            "home",
            0,
        ),
        (
            2,
            "2",
            "p3",
            1,
            Decimal("30"),
            3_000,
            3_000,
            "assisted",
            "clicked",
            "p3",
            "A",
            "also-bought",
            "home",
            0,
        ),
    ]


async def test_revenue_of_a_day(warehouse: Warehouse) -> None:
    await warehouse.fill(GOLDEN, order("o2", ("p1", 4, 1_000, "none", "")))
    assert warehouse.rows(
        "SELECT total_orders, items, total_revenue, total_revenue_minor, line_revenue_minor, net_revenue,"
        " average_ticket,"
        " items_per_order, average_price_per_item FROM revenue_daily"
    ) == [(2, 7, Decimal("150"), 15_000, 14_000, Decimal("150"), Decimal("75"), 3.5, Decimal("20"))]


async def test_two_currencies_are_two_rows_in_their_own_units(warehouse: Warehouse) -> None:
    await warehouse.fill(
        order("o1", ("p", 1, 1_050, "none", "")),
        order("o2", ("p", 1, 1_050, "none", ""), currency="JPY", exponent=0),
        order("o3", ("p", 3, 1_050, "none", ""), currency="KWD", exponent=3),
        order("o4", ("p", 1, 1_050, "none", ""), currency="CLF", exponent=4),
    )
    assert warehouse.rows(
        "SELECT currency, total_revenue, average_price_per_item FROM revenue_daily ORDER BY currency"
    ) == [
        ("CLF", Decimal("0.105"), Decimal("0.105")),
        ("EUR", Decimal("10.5"), Decimal("10.5")),
        ("JPY", Decimal(1050), Decimal(1050)),
        ("KWD", Decimal("1.05"), Decimal("0.35")),
    ]


async def test_a_refund_ten_days_later_leaves_the_captured_day_alone(warehouse: Warehouse) -> None:
    refund = adjusted(("refund", "r1", 11, 6_000, [5_000, 0]))
    await warehouse.fill(GOLDEN)
    await warehouse.fill(order("o1", ("p1", 2, 10_000, "direct", "B"), ("p3", 1, 3_000, "assisted", "A"),
                               extra=1_000, version=2, **refund))  # fmt: skip
    assert warehouse.rows(
        "SELECT toDayOfMonth(store_date), total_orders, total_revenue_minor, refunded_revenue_minor,"
        " canceled_revenue_minor, canceled_orders, net_revenue_minor, average_ticket FROM revenue_daily"
        " ORDER BY 1"
    ) == [(1, 1, 14_000, 0, 0, 0, 14_000, Decimal("140")), (11, 0, 0, 6_000, 0, 0, -6_000, None)]
    assert warehouse.rows(
        "SELECT toDayOfMonth(store_date), recommendation_direct_revenue_minor,"
        " recommendation_assisted_revenue_minor, recommendation_direct_revenue_net_minor,"
        " recommendation_assisted_revenue_net_minor, recommended_product_purchases, recommended_units,"
        " recommendation_direct_revenue_net"
        " FROM recommendation_revenue_daily ORDER BY 1"
    ) == [
        (1, 10_000, 3_000, 10_000, 3_000, 1, 2, Decimal("100")),
        (11, 0, 0, -5_000, 0, 0, 0, Decimal("-50")),
    ]
    assert warehouse.rows(
        "SELECT toDayOfMonth(store_date), widget_id, recommendation_direct_revenue_minor,"
        " recommendation_assisted_revenue_minor,"
        " recommendation_direct_revenue_net_minor, recommendation_assisted_revenue_net_minor,"
        " recommended_product_purchases"
        " FROM recommendation_revenue_by_widget ORDER BY 1, 2"
    ) == [(1, "A", 0, 3_000, 0, 3_000, 0), (1, "B", 10_000, 0, 10_000, 0, 1),
          (11, "A", 0, 0, 0, 0, 0), (11, "B", 0, 0, -5_000, 0, 0)]  # fmt: skip


async def test_a_refund_then_a_cancel_take_the_whole_order_once(warehouse: Warehouse) -> None:
    back = adjusted(("refund", "r1", 2, 4_000, [3_000, 1_000]), ("cancel", "", 3, 10_000, [7_000, 2_000]))
    lines = (("p1", 2, 10_000, "direct", "B"), ("p3", 1, 3_000, "assisted", "A"))
    await warehouse.fill(order("o1", *lines, extra=1_000, **back))
    assert warehouse.rows(
        "SELECT total_minor, refunded_minor, canceled_minor, net_minor, is_canceled FROM order_totals"
    ) == [(14_000, 4_000, 10_000, 0, 1)]
    assert warehouse.rows("SELECT line, taken_back_minor FROM order_lines ORDER BY line") == [
        (1, 10_000),
        (2, 3_000),
    ]
    assert warehouse.rows(
        "SELECT kind, refund_id, toDayOfMonth(store_date), amount, amount_minor, of_lines, credits, widgets"
        " FROM refunds ORDER BY adjusted_at"
    ) == [
        ("refund", "r1", 2, Decimal("40"), 4_000, [3_000, 1_000], ["direct", "assisted"], ["B", "A"]),
        ("cancel", "", 3, Decimal("100"), 10_000, [7_000, 2_000], ["direct", "assisted"], ["B", "A"]),
    ]
    assert warehouse.rows(
        "SELECT sum(recommendation_direct_revenue_minor), sum(recommendation_direct_revenue_net_minor),"
        " sum(recommendation_assisted_revenue_net_minor),"
        " sum(recommended_product_purchases) FROM recommendation_revenue_daily"
    ) == [(10_000, 0, 0, 1)]
    assert warehouse.rows("SELECT sum(canceled_orders), sum(net_revenue_minor) FROM revenue_daily") == [
        (1, 0)
    ]


async def test_direct_assisted_and_the_rest_are_all_lines(warehouse: Warehouse) -> None:
    await warehouse.fill(
        GOLDEN,
        order("o2", ("p1", 1, 333, "none", ""), ("p2", 1, 334, "none", ""), exposure_only=[1, 0]),
        order("o3", ("p1", 1, 77, "direct", "A"), ("p2", 1, 5, "none", ""), day=2, currency="USD"),
    )
    for query in (
        "SELECT * FROM recommendation_revenue_daily AS r JOIN revenue_daily AS o USING (store_id,"
        " store_date, channel,"
        " currency) WHERE recommendation_direct_revenue_minor + recommendation_assisted_revenue_minor"
        " + unattributed_revenue_minor != line_revenue_minor",
        "SELECT * FROM order_totals WHERE direct_minor + assisted_minor + unattributed_minor !="
        " line_paid_minor",
    ):
        assert warehouse.rows(query) == []
    assert warehouse.rows(
        "SELECT toDayOfMonth(store_date), recommendation_direct_revenue_minor,"
        " recommendation_assisted_revenue_minor, unattributed_revenue_minor,"
        " recommendation_assisted_revenue_inclusive_minor, exposure_only_revenue_minor"
        " FROM recommendation_revenue_daily ORDER BY 1"
    ) == [(1, 10_000, 3_000, 667, 13_000, 333), (2, 77, 0, 5, 82, 0)]
    by_widget = warehouse.rows(
        "SELECT toDayOfMonth(store_date), sum(recommendation_direct_revenue_minor),"
        " sum(recommendation_assisted_revenue_minor)"
        " FROM recommendation_revenue_by_widget GROUP BY 1 ORDER BY 1"
    )
    assert by_widget == [(1, 10_000, 3_000), (2, 77, 0)]


async def test_sums_beyond_64_bits_are_exact(warehouse: Warehouse) -> None:
    large = 2**62
    await warehouse.fill(*(order(f"o{number}", ("p", 1, large, "direct", "A")) for number in range(5)))
    assert warehouse.value("SELECT total_revenue_minor FROM revenue_daily") == 5 * large
    assert (
        warehouse.value("SELECT recommendation_direct_revenue FROM recommendation_revenue_daily")
        == Decimal(5 * large) / 100
    )


async def test_the_reader_s_port_answers_all_views(warehouse: Warehouse, clickhouse: object) -> None:
    await warehouse.fill(GOLDEN)
    reader = clickhouse.client(warehouse.address.database, reader=True)  # type: ignore[attr-defined]
    try:
        for name, create in warehouse.rows(
            "SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase() AND"
            " engine = 'View'"
        ):
            period = "(date_from='2026-01-01', date_to='2026-01-31')" if "{date_from" in create else ""
            reader.query(f"SELECT * FROM {name}{period}")
    finally:
        reader.close()
