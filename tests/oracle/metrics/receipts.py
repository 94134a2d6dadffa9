"""Receipts as they stood at an instant, never with later news (H111 to H114, H122)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from tests.oracle.calendar import date_of
from tests.oracle.metrics.cells import Scope
from tests.oracle.metrics.facts import Purchase


@dataclass(frozen=True)
class Receipt:
    """An order of a customer that stood at an instant. `total`: less what was refunded until then (H114)."""

    purchase: Purchase
    day: date
    total: int


def receipts(scope: Scope, until: int) -> list[Receipt]:
    """Receipts of the channel captured before `until`, judged as of `until` (H113, H122)."""
    found = []
    for purchase in scope.facts.purchases:
        if not (purchase.person.startswith("c:") and purchase.at < until and scope.speaks(purchase.channel)):
            continue
        steps = [(index, step) for index, step in enumerate(purchase.adjustments) if step.event.at < until]
        if any(step.event.type == "canceled" for _, step in steps):
            continue
        paid = sum(line.paid for line in purchase.lines)
        taken = sum(line.taken[index] for line in purchase.lines for index, _ in steps)
        if paid and taken == paid:
            continue  # fully returned; an order that cost nothing is a receipt all the same
        refunded = sum(step.amount for _, step in steps)
        day = date_of(purchase.at, scope.store.zone)
        found.append(Receipt(purchase, day, purchase.total - refunded))
    return found


def of_customers(found: Iterable[Receipt]) -> dict[str, list[Receipt]]:
    """Person -> receipts."""
    customers: dict[str, list[Receipt]] = {}
    for receipt in found:
        customers.setdefault(receipt.purchase.person, []).append(receipt)
    return customers


def base(scope: Scope, found: Iterable[Receipt], last: date) -> dict[str, list[Receipt]]:
    """Customers with their receipts of the store dates of the base period, which ends with `last` (H111)."""
    first = last - timedelta(days=scope.store.base_period_days - 1)
    return of_customers(receipt for receipt in found if first <= receipt.day <= last)
