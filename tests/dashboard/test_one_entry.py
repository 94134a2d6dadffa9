"""A metric over existing facts is one entry of the catalogue: the views, the page and the report all have it."""

import pytest

from schemas.metrics import FACTS, METRICS, QUERIES
from schemas.metrics.checks import checked_metrics
from schemas.metrics.model import Cut, Grain, Metric, Section, Unit
from schemas.metrics.rendering import rendered_files
from tests.dashboard.asking import Desk
from tests.sinks.making import order

LARGE_ORDERS = Metric(
    number="M28",
    name="large_orders",
    section=Section.ORDERS,
    says="Captured orders of at least five units.",
    day="capture of the order",
    unit=Unit.COUNT,
    grain=Grain.ADDITIVE,
    origin="a test",
    fact="order",
    sql="countIf(units >= 5)",
    cuts=(Cut("line", "uniqExactIf(order_id, line_units >= 5)", ("product_id",)),),
)


async def test_an_entry_is_in_the_views_on_the_page_and_in_the_report(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METRICS, LARGE_ORDERS.name, LARGE_ORDERS)
    checked_metrics(METRICS.values(), FACTS, QUERIES)
    await desk.fill(
        order("o1", ("p1", 5, 100, "none", ""), ("p2", 1, 100, "none", "")),
        order("o2", ("p1", 4, 100, "none", "")),
    )

    assert await desk.numbers("large_orders") == {"large_orders": 1}
    assert await desk.numbers("large_orders", by=("product_id",)) == {("large_orders", "p1"): 1}

    views, *_, page = rendered_files(METRICS).values()
    assert "| M28 | `large_orders` | Captured orders of at least five units. | count, A |" in page
    try:
        desk.warehouse.client.command(statement(views, "orders_daily"))
        assert desk.warehouse.rows("SELECT total_orders, large_orders FROM orders_daily") == [(2, 1)]
        assert desk.warehouse.rows(
            "SELECT comment FROM system.columns WHERE database = currentDatabase() AND table = 'orders_daily'"
            " AND name = 'large_orders'"
        ) == [("M28: Captured orders of at least five units.",)]
    finally:
        monkeypatch.undo()
        desk.warehouse.client.command(
            statement(rendered_files()[next(iter(rendered_files()))], "orders_daily")
        )


def statement(sql: str, view: str) -> str:
    """The statement that makes a view."""
    return next(each for each in sql.split(";\n") if f"VIEW {view} (" in each)
