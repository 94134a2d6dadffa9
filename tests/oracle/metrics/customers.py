"""The customer base: M43 to M50 (part I). Receipts are judged as they stood at an instant, never with later news."""

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
from tests.oracle.metrics.receipts import base, of_customers, receipts
from tests.oracle.metrics.segments import scores_of
from tests.oracle.model import Event

GROUPS = ((0, 1), (1, 3), (3, 7), (7, 11), (11, 12))  # months, half-open (M43)
SNAPSHOT_HOURS = (0, 6, 12, 18)


def snapshot_instant(as_of: int, zone: str) -> int:
    """The latest of 00:00, 06:00, 12:00, 18:00 store time at or before `as_of` (H110)."""
    today = date_of(as_of, zone)
    days = (today - timedelta(days=1), today)
    instants = [instant(day, zone, time(hour)) for day in days for hour in SNAPSHOT_HOURS]
    return max(at for at in instants if at <= as_of)


def customer_base(scope: Scope) -> Cells:
    """M43 to M45 at the snapshot instant, whatever the period. M43 by groups of months, or `by` single ones."""
    cells: Cells = {}
    if scope.by not in (None, "recency_months"):
        return cells
    until = snapshot_instant(scope.as_of, scope.store.zone)
    today = date_of(until, scope.store.zone)
    customers = base(scope, receipts(scope, until), today)
    ages = [months_between(max(receipt.day for receipt in own), today) for own in customers.values()]
    if scope.by is not None:
        return {Cell("customers_by_recency", str(month)): ages.count(month) for month in range(12)}
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
    for month in sorted({month_start(day) for day in dates(first, last)}):
        end = instant(next_month(month), scope.store.zone)
        # H115: the running month as of the snapshot instant.
        until = min(end, snapshot_instant(scope.as_of, scope.store.zone))
        found = _month(scope, month, until)
        if scope.by is None:
            found |= _segments(scope, month, until, is_over=end <= scope.as_of)
        for cell in [] if end <= scope.as_of else list(found):
            found[cell._replace(metric=f"{cell.metric}:provisional")] = 1
            found[cell._replace(metric=f"{cell.metric}:matures_at")] = end
        cells |= found
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


def touch_before(scope: Scope, purchase: Purchase) -> Event | None:
    """The latest communication to the same customer in the window before; ties: smallest communication_id (H121).

    A communication is dated by its earliest send (H90): sending it once more makes no touch.
    """
    sent = [
        event
        for event in scope.facts.communications
        if event.person == purchase.person
        and 0 <= purchase.at - event.at <= scope.store.attribution_window_ms
    ]
    return min(sent, key=lambda event: (-event.at, event.communication_id), default=None)


def _segments(scope: Scope, month: date, until: int, *, is_over: bool) -> Cells:
    """M46 and M47: known only once the month is over."""
    name, last = f"{month:%Y-%m}", last_of_month(month)
    best, lost = Cell("best_customers", name), Cell("lost_customers", name)
    if not is_over:
        return {best: None, lost: None}
    scores = scores_of(base(scope, receipts(scope, until), last), last, scope.store).values()
    return {best: list(scores).count((5, 5, 5)), lost: sum(recency == 1 for recency, _, _ in scores)}
