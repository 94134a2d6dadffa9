"""Orders and revenue: M27 to M31, and what was taken back (H61)."""

from tests.oracle.metrics.cells import Cell, Cells, Scope, add, by_currency, quotient


def sales(scope: Scope) -> Cells:
    """In total only. Money per currency, and each average over the orders of its currency (H59)."""
    if scope.by is not None:
        return {}
    cells: Cells = {
        Cell("total_orders"): len(scope.purchases),
        Cell("canceled_orders"): 0,
        Cell("items_per_order"): quotient(
            sum(purchase.quantity for purchase in scope.purchases), len(scope.purchases)
        ),
    }
    for currency, purchases in by_currency(scope.purchases).items():
        total = sum(purchase.total for purchase in purchases)
        paid = sum(line.paid for purchase in purchases for line in purchase.lines)
        units = sum(purchase.quantity for purchase in purchases)
        cells[Cell("average_ticket", "", currency)] = quotient(total, len(purchases))
        cells[Cell("average_price_per_item", "", currency)] = quotient(paid, units)
        for metric in ("total_revenue", "net_revenue"):
            add(cells, metric, "", currency, total)
    for purchase in scope.known_purchases:
        for step in purchase.adjustments:
            if not (scope.holds(step.event.at) and scope.speaks(purchase.channel)):
                continue
            add(cells, "net_revenue", "", purchase.currency, -step.amount)
            if step.event.type == "canceled":
                add(cells, "canceled_revenue", "", purchase.currency, step.amount)
                add(cells, "canceled_orders", "", "", 1)
            else:
                add(cells, "refunded_revenue", "", purchase.currency, step.amount)
    return cells
