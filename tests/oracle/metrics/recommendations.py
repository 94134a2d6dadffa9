"""What recommendations brought: M14 to M21 (H70 to H80)."""

from collections.abc import Callable, Iterable, Sequence

from tests.oracle.credit import Impression, impressions_of
from tests.oracle.metrics.cells import Cell, Cells, Scope, add, percent
from tests.oracle.metrics.facts import PaidLine, Purchase
from tests.oracle.model import Event
from tests.oracle.sessions import Session


def recommendations(scope: Scope) -> Cells:
    """Revenue by order day, sessions by their start, customers by the day of the impression."""
    cells = _revenue(scope)
    cells |= _purchases(scope)
    cells |= _sessions(scope)
    if scope.by is None:
        cells |= _purchase_sessions(scope)
    return cells


def touch_of(line: PaidLine, what: str) -> str:
    """Widget, strategy or placement that gets the line's credit; empty if it has none, or names none."""
    touch = line.credit.touch
    return (getattr(touch.impression.event, what) or "") if touch else ""


LINE_DIMENSIONS: dict[str, Callable[[PaidLine], str]] = {
    "widget_id": lambda line: touch_of(line, "widget_id"),
    "placement": lambda line: touch_of(line, "placement"),
    "strategy": lambda line: touch_of(line, "strategy"),
    "product_id": lambda line: line.line.product_id,
}


def _revenue(scope: Scope) -> Cells:
    """M14 and M15. What is taken back later lowers the `_net` columns on its own day (E2)."""
    cells: Cells = {}
    if scope.by is not None and scope.by not in LINE_DIMENSIONS:
        return cells
    for purchase in scope.known_purchases:
        if not scope.speaks(purchase.channel):
            continue
        for line in purchase.lines:
            value = LINE_DIMENSIONS[scope.by](line) if scope.by else ""
            credit = line.credit.credit
            if scope.holds(purchase.at):
                for metric in _gross(line, purchase):
                    add(cells, metric, value, purchase.currency, line.paid)
                if credit != "none":
                    add(cells, f"recommendation_{credit}_revenue_net", value, purchase.currency, line.paid)
            for step, taken in zip(purchase.adjustments, line.taken, strict=True):
                if scope.holds(step.event.at) and credit != "none":
                    add(cells, f"recommendation_{credit}_revenue_net", value, purchase.currency, -taken)
    return cells


def _gross(line: PaidLine, purchase: Purchase) -> list[str]:
    """The revenue columns that a line's paid amount goes into."""
    credit = line.credit.credit
    metrics = [
        "line_paid:all",  # no metric, but what the parts must add up to
        "unattributed_revenue" if credit == "none" else f"recommendation_{credit}_revenue",
    ]
    if purchase.has_interaction:
        metrics.append("recommendation_assisted_revenue_inclusive")  # H74
    if line.credit.exposure_only:
        metrics.append("exposure_only_revenue")  # H75
    return metrics


def _purchases(scope: Scope) -> Cells:
    """M20: orders with a direct line, and the units of those lines, all currencies together."""
    cells: Cells = {}
    sold = [(purchase, line) for purchase in scope.purchases for line in purchase.direct_lines]
    groups = scope.groups(
        sold,
        widget_id=lambda pair: [LINE_DIMENSIONS["widget_id"](pair[1])],
        product_id=lambda pair: [pair[1].line.product_id],
    )
    for value, pairs in (groups or {}).items():
        orders = {purchase.order_id for purchase, _ in pairs}
        cells[Cell("recommended_product_purchases", value)] = len(orders)
        cells[Cell("recommended_units", value)] = sum(line.line.quantity for _, line in pairs)
    return cells


def _sessions(scope: Scope) -> Cells:
    """M16 to M19. By widget a session counts once for each widget it saw, with that widget's impressions alone."""
    cells: Cells = {}
    exposing = [session for session in scope.sessions if session.impressions]
    dimensions: dict[str, Callable[[Session], Iterable[str]]] = {
        "widget_id": lambda session: [event.widget_id or "" for event in session.impressions],
        "strategy": lambda session: [event.strategy for event in session.impressions if event.strategy],
    }
    for value, sessions in (scope.groups(exposing, **dimensions) or {}).items():
        cells[Cell("recommendation_sessions", value)] = len(sessions)
        if scope.by != "strategy":
            cells |= _rates(scope, value, sessions)
    shown = [
        (event, session.person)
        for session in scope.facts.sessions
        for event in session.impressions
        if scope.holds(event.at) and scope.speaks(event.channel)
    ]
    for value, seen in (scope.groups(shown, widget_id=lambda pair: [pair[0].widget_id or ""]) or {}).items():
        cells[Cell("recommendation_unique_customers", value)] = len({person for _, person in seen})
    return cells


def _rates(scope: Scope, value: str, sessions: Sequence[Session]) -> Cells:
    """M17 and M18, and of M18 how far it is final (H78). `value`: one widget, or empty for all."""
    widget = value if scope.by == "widget_id" else None
    bought = _direct_lines(scope)
    viewed, converted, matured, matured_converted = 0, 0, 0, 0
    matures: list[int] = []
    for session in sessions:
        impressions = [event for event in session.impressions if widget in (None, event.widget_id)]
        viewed += _is_viewed(session, impressions, widget)
        is_converted = _is_converted(impressions, bought.get(session.person, []), scope)
        converted += is_converted
        # The session's last impression, of whatever widget, says when it matures (H78).
        matures.append(session.impressions[-1].at + scope.store.attribution_window_ms)
        if matures[-1] <= scope.as_of:
            matured += 1
            matured_converted += is_converted
    name = "recommendation_conversion_rate"
    return {
        Cell("recommendation_ctr", value): percent(viewed, len(sessions)),
        Cell(name, value): percent(converted, len(sessions)),
        Cell(f"{name}:matured", value): percent(matured_converted, matured),
        Cell(f"{name}:provisional", value): int(matured < len(sessions)),
        Cell(f"{name}:matures_at", value): max(matures, default=None),
    }


DirectLine = tuple[str, int, int]
"""(product, A, T): a directly credited product, its last add and its order, event times in ms."""


def _direct_lines(scope: Scope) -> dict[str, list[DirectLine]]:
    """Person -> the direct lines of his orders."""
    found: dict[str, list[DirectLine]] = {}
    for purchase in scope.known_purchases:
        for line in purchase.direct_lines:
            found.setdefault(purchase.person, []).append(
                (line.line.product_id, line.credit.added_at, purchase.at)
            )
    return found


def _is_viewed(session: Session, impressions: Sequence[Event], widget: str | None) -> bool:
    """H76: shown, then (or at once) its details; by widget, a view that names another does not count."""
    return any(
        seen.product_id == view.product_id and view.at >= seen.at
        for view in session.of("detail_viewed")
        if widget is None or view.widget_id in (None, widget)
        for seen in impressions_of(impressions)
    )


def _is_converted(impressions: Sequence[Event], bought: Sequence[DirectLine], scope: Scope) -> bool:
    """H77: shown, then put into the cart, then bought, all within the window."""

    def leads_to(seen: Impression, line: DirectLine) -> bool:
        product_id, added_at, ordered_at = line
        late = ordered_at - seen.at > scope.store.attribution_window_ms
        return seen.product_id == product_id and seen.at <= added_at and not late

    return any(leads_to(seen, line) for seen in impressions_of(impressions) for line in bought)


def _purchase_sessions(scope: Scope) -> Cells:
    """M21 by session start on both sides; orders without a session are in neither (H79)."""
    inside = {session.identity for session in scope.sessions}
    orders = [
        purchase
        for purchase in scope.known_purchases
        if purchase.session is not None and purchase.session.identity in inside
    ]
    with_order = {purchase.session.identity for purchase in orders if purchase.session}
    with_direct = {
        purchase.session.identity for purchase in orders if purchase.session and purchase.direct_lines
    }
    rate = percent(len(with_direct), len(with_order))
    return {Cell("purchase_sessions_with_recommended_pct"): rate}
