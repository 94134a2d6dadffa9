"""Revenue in the store's reporting currency (E4): the same metrics over the same orders, with other amounts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from tests.oracle.metrics.cells import Cell, Cells, Scope
from tests.oracle.metrics.facts import PaidLine, Purchase
from tests.oracle.metrics.personalization import personalization, served
from tests.oracle.metrics.recommendations import LINE_DIMENSIONS, recommendations
from tests.oracle.metrics.sales import sales
from tests.oracle.orders import Adjustment

CAPTURED = (
    *("total_revenue", "personalization_revenue"),
    *("recommendation_direct_revenue", "recommendation_assisted_revenue", "unattributed_revenue"),
    *("recommendation_assisted_revenue_inclusive", "exposure_only_revenue"),
)
"""Metrics that lack the orders without a rate; the others lack what was taken back of such orders, or both."""
TAKEN_BACK = ("canceled_revenue", "refunded_revenue")
NET = ("net_revenue", "recommendation_direct_revenue_net", "recommendation_assisted_revenue_net")
EXPERIENCES = ("experience_id", "variant_id", "test_id")


@dataclass(frozen=True)
class Told(Purchase):
    """A purchase that speaks in the reporting currency."""

    @property
    def currency(self) -> str:
        """That of the store's reports."""
        return self.reported.currency

    @property
    def total(self) -> int:
        """At the rate of the order's day."""
        return self.reported.total


def told(purchase: Purchase) -> Told:
    """The purchase with all amounts in the reporting currency."""
    found = purchase.reported
    lines = tuple(
        PaidLine(line.line, found.paid[index], line.credit, tuple(step[index] for step in found.lines_taken))
        for index, line in enumerate(purchase.lines)
    )
    adjustments = tuple(
        Adjustment(step.event, amount, lines)
        for step, amount, lines in zip(purchase.adjustments, found.taken, found.lines_taken, strict=True)
    )
    return Told(purchase.order, purchase.session, lines, purchase.has_interaction, adjustments, found)


def reporting(scope: Scope) -> Cells:
    """`<metric>_reporting` of orders with a rate, and how many are left out; nothing for a store without the setting."""
    currency = scope.store.reporting_currency
    if not currency:
        return {}
    known: list[Purchase] = [
        told(purchase) for purchase in scope.facts.purchases if purchase.reported.rate is not None
    ]
    alike = replace(scope, facts=replace(scope.facts, purchases=known))
    found = sales(alike) | recommendations(alike) | personalization(alike)
    cells: Cells = {
        cell._replace(metric=f"{cell.metric}_reporting"): value
        for cell, value in found.items()
        if cell.metric in (*CAPTURED, *TAKEN_BACK, *NET)
    }
    orders, adjustments = _count(_orders(scope)), _count(_adjustments(scope))
    if scope.by is None:
        orders.setdefault("", 0)
        adjustments.setdefault("", 0)
    for value, number in orders.items():
        cells[Cell("unconverted_orders", value)] = number
    if scope.by not in EXPERIENCES:
        for value, number in adjustments.items():
            cells[Cell("unconverted_adjustments", value)] = number
    for value in {*orders, *adjustments, *(cell.value for cell in cells)}:
        for metric in _metrics(scope.by):
            number = 0 if metric in TAKEN_BACK else orders.get(value, 0)
            number += 0 if metric in CAPTURED else adjustments.get(value, 0)
            cell = Cell(f"{metric}_reporting", value, currency)
            if number:
                cells.setdefault(cell, 0)
            cells[cell._replace(metric=f"{cell.metric}:left_out")] = number
            cells[cell._replace(metric=f"{cell.metric}:provisional")] = int(number > 0)
    return cells


def _metrics(by: str | None) -> Iterable[str]:
    """Metrics that can be told apart so."""
    if by is None:
        return (*CAPTURED, *TAKEN_BACK, *NET)
    if by in EXPERIENCES:
        return ("personalization_revenue",)
    return [
        metric
        for metric in (*CAPTURED, *NET)
        if by in LINE_DIMENSIONS and metric not in ("total_revenue", "net_revenue", "personalization_revenue")
    ]


def _orders(scope: Scope) -> Iterator[tuple[str, Purchase]]:
    """(dimension value, order) of the period's orders without a rate, each once for a value."""
    for purchase in scope.purchases:
        if purchase.reported.rate is None:
            for value in _values(scope.by, purchase):
                yield value, purchase


def _adjustments(scope: Scope) -> Iterator[tuple[str, Adjustment]]:
    """(dimension value, what was taken back) of orders without a rate."""
    for purchase in scope.known_purchases:
        if purchase.reported.rate is None and scope.speaks(purchase.channel):
            for step in purchase.adjustments:
                if scope.holds(step.event.at):
                    for value in _values(scope.by, purchase):
                        yield value, step


def _values(by: str | None, purchase: Purchase) -> set[str]:
    if by is None:
        return {""}
    if by in EXPERIENCES:
        return set(served(purchase.session, by))
    return {LINE_DIMENSIONS[by](line) for line in purchase.lines} if by in LINE_DIMENSIONS else set()


def _count(pairs: Iterable[tuple[str, object]]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for value, _ in pairs:
        counted[value] = counted.get(value, 0) + 1
    return counted
