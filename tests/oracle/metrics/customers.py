"""The customer base: M43 to M50 (part I). Receipts are judged as they stood at an instant, never with later news."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from fractions import Fraction

from tests.oracle.calendar import (
    date_of,
    dates,
    instant,
    last_of_month,
    month_start,
    months_between,
    next_month,
)
from tests.oracle.metrics.cells import Cell, Cells, Scope, add, percent
from tests.oracle.metrics.facts import Purchase
from tests.oracle.model import Event

BASE_DAYS = 365  # H111
GROUPS = ((0, 1), (1, 3), (3, 7), (7, 11), (11, 12))  # months, half-open (M43)
SNAPSHOT_HOURS = (0, 6, 12, 18)


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


def base(found: Iterable[Receipt], last: date) -> dict[str, list[Receipt]]:
    """Customers with their receipts of the 365 store dates that end with `last` (H111)."""
    first = last - timedelta(days=BASE_DAYS - 1)
    return of_customers(receipt for receipt in found if first <= receipt.day <= last)


def snapshot_instant(as_of: int, zone: str) -> int:
    """The latest of 00:00, 06:00, 12:00, 18:00 store time at or before `as_of` (H110)."""
    today = date_of(as_of, zone)
    days = (today - timedelta(days=1), today)
    instants = [instant(day, zone, time(hour)) for day in days for hour in SNAPSHOT_HOURS]
    return max(at for at in instants if at <= as_of)


def customer_base(scope: Scope) -> Cells:
    """M43 to M45 at the snapshot instant, whatever the period. M43 by whole months and by groups of them."""
    cells: Cells = {}
    if scope.by is not None:
        return cells
    until = snapshot_instant(scope.as_of, scope.store.zone)
    today = date_of(until, scope.store.zone)
    customers = base(receipts(scope, until), today)
    ages = [months_between(max(receipt.day for receipt in own), today) for own in customers.values()]
    for month in range(12):
        cells[Cell("customers_by_recency", str(month))] = ages.count(month)
    for low, high in GROUPS:
        cells[Cell("customers_by_recency", f"{low}-{high}")] = sum(low <= age < high for age in ages)
    once = [own for own in customers.values() if len(own) == 1]
    again = [own for own in customers.values() if len(own) > 1]
    cells[Cell("one_receipt_customers")] = len(once)
    cells[Cell("repeat_customers")] = len(again)
    cells[Cell("repeat_customers_pct")] = percent(len(again), len(customers))
    for metric, part in (("one_receipt_revenue", once), ("repeat_revenue", again)):
        for receipt in (receipt for own in part for receipt in own):
            add(cells, metric, "", receipt.purchase.currency, receipt.total)
    for currency in {receipt.purchase.currency for own in customers.values() for receipt in own}:
        one, more = (_sum(cells, metric, currency) for metric in ("one_receipt_revenue", "repeat_revenue"))
        cells[Cell("repeat_revenue_pct", "", currency)] = percent(more, one + more)
    return cells


def _sum(cells: Cells, metric: str, currency: str) -> int | Fraction:
    return cells.get(Cell(metric, "", currency), 0) or 0


def monthly(scope: Scope, first: date, last: date) -> Cells:
    """M46 to M50 for every month that the dates touch, whole months (H116); the cell's value is `2026-01`.

    M49 and M50 told apart by `notification_channel` or `journey_id`: the value is `2026-01|email`.
    """
    cells: Cells = {}
    months = sorted({month_start(day) for day in dates(first, last)})
    for month in months:
        end = instant(next_month(month), scope.store.zone)
        # H115: the running month as of the snapshot instant.
        until = min(end, snapshot_instant(scope.as_of, scope.store.zone))
        cells |= _month(scope, month, until)
        if scope.by is None and end <= scope.as_of:
            cells |= _segments(scope, month, until)
    return cells


def _month(scope: Scope, month: date, until: int) -> Cells:
    cells: Cells = {}
    name = f"{month:%Y-%m}"
    found = receipts(scope, until)
    fresh = [receipt for receipt in found if month_start(receipt.day) == month]
    if scope.by is None:
        customers = of_customers(found)
        repeating = {person for person, own in customers.items() if len(own) > 1}
        buyers = {receipt.purchase.person for receipt in fresh}
        cells[Cell("repeat_purchase_share", name)] = percent(len(buyers & repeating), len(buyers))
        share = percent(len(repeating), len(customers))  # H120
        cells[Cell("repeat_purchase_share_of_base", name)] = share
        cells[Cell("assisted_receipts", name)] = cells[Cell("regular_receipts", name)] = 0
        cells[Cell("repeat_purchase_share:provisional", name)] = int(until < _month_end(scope, month))
    for receipt in fresh:
        touch = touch_before(scope, receipt.purchase)
        if scope.by is None:
            kind, value = ("assisted" if touch else "regular"), name
        elif touch and scope.by in ("notification_channel", "journey_id"):
            kind, value = "assisted", f"{name}|{getattr(touch, scope.by)}"
        else:
            continue
        add(cells, f"{kind}_receipts", value, "", 1)
        add(cells, f"{kind}_amount", value, receipt.purchase.currency, receipt.total)
    return cells


def _month_end(scope: Scope, month: date) -> int:
    return instant(next_month(month), scope.store.zone)


def touch_before(scope: Scope, purchase: Purchase) -> Event | None:
    """The latest send to the same customer in the window before; ties: smallest communication_id (H121).

    Every send of a communication is one, also of one that was sent before.
    """
    sent = [
        event
        for event in scope.facts.sends
        if event.person == purchase.person
        and 0 <= purchase.at - event.at <= scope.store.attribution_window_ms
    ]
    return min(sent, key=lambda event: (-event.at, event.communication_id, event.event_id), default=None)


def _segments(scope: Scope, month: date, until: int) -> Cells:
    """M46 and M47 of a finished month."""
    scores = rfm(base(receipts(scope, until), last_of_month(month)), scope.store.currency)
    name = f"{month:%Y-%m}"
    return {
        Cell("best_customers", name): sum(score == (5, 5, 5) for score in scores.values()),
        Cell("lost_customers", name): sum(recency == 1 for recency, _, _ in scores.values()),
    }


def rfm(customers: dict[str, list[Receipt]], currency: str) -> dict[str, tuple[int, int, int]]:
    """Customer -> (R, F, M), each 1 to 5 by quintiles (H117); money in the store's currency alone."""
    recency = {person: max(receipt.day for receipt in own).toordinal() for person, own in customers.items()}
    frequency = {person: len(own) for person, own in customers.items()}
    money = {
        person: sum(receipt.total for receipt in own if receipt.purchase.currency == currency)
        for person, own in customers.items()
    }
    columns = [quintiles(column) for column in (recency, frequency, money)]
    return {person: (columns[0][person], columns[1][person], columns[2][person]) for person in customers}


def quintiles(values: dict[str, int]) -> dict[str, int]:
    """Score = 1 + how many of the four cut points lie below the value; cut k is at position ceil(k * N / 5)."""
    ascending = sorted(values.values())
    cuts = cut_points(ascending)
    return {person: 1 + sum(cut < value for cut in cuts) for person, value in values.items()}


def cut_points(ascending: Sequence[int]) -> list[int]:
    """The four cut points of ascending values; none if there are no values."""
    count = len(ascending)
    return [ascending[-(-rank * count // 5) - 1] for rank in range(1, 5)] if count else []
