"""The way in: raw records and stores -> the rows that the tables should hold, and every record's verdict."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from schemas.measures import (
    LIVE_HORIZON_MS,
    LIVE_WINDOW_SECONDS,
    MEASURE_OF,
    MESSAGES_OUT,
    PRODUCTS_SHOWN,
    UNITS_ADDED,
    WINDOW_SECONDS,
)
from schemas.rows import ExposureRow, OrderRow, SessionRow
from schemas.stores import Store
from tests.oracle.credit import OrderCredit, Past, credit_order, impressions_of
from tests.oracle.currencies import EXPONENT
from tests.oracle.identity import resolve
from tests.oracle.model import Event
from tests.oracle.orders import Order, lines_paid, orders_of, settle
from tests.oracle.records import OracleResult, Origin, RawRecord, RowKey, counter_row, put
from tests.oracle.reporting import NO_RATES, Rates, rate_text, reported
from tests.oracle.sessions import Session, closes_at, first_given, is_active, is_present, sessions_of
from tests.oracle.verdicts import judge


def recompute(
    records: Sequence[RawRecord],
    stores: Mapping[str, Store],
    *,
    rates: Rates = NO_RATES,
    too_late: Collection[Origin] = (),
    first: Collection[Origin] = (),
) -> OracleResult:
    """Everything from scratch. `too_late` and `first`: what only the arrival can tell, see `judge`."""
    verdicts, accepted = judge(records, stores, too_late=too_late, first=first)
    events = resolve(accepted, stores)
    result = OracleResult(verdicts=verdicts, accepted=accepted)
    orders = orders_of(events)
    sessions = sessions_of(events, orders, stores)
    by_person: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        by_person.setdefault((event.store_id, event.person), []).append(event)
    sessions_of_person: dict[tuple[str, str], list[Session]] = {}
    for session in sessions:
        sessions_of_person.setdefault((session.store_id, session.person), []).append(session)
    pasts: dict[tuple[str, str], Past] = {}
    for order in orders:
        person, store = (order.first.store_id, order.first.person), stores[order.first.store_id]
        if person not in pasts:
            pasts[person] = Past.of(by_person[person])
        own = sessions_of_person.get(person, [])
        credit = credit_order(order, pasts[person], store)
        exposed = exposed_by(order, credit, own, store)
        session_key = _session_key(order, own)
        put(result.rows, "orders", order_row(order, credit, session_key, exposed, stores, rates))
    for session in sessions:
        store = stores[session.store_id]
        put(result.rows, "sessions", session_row(session, store))
        for widget_id in {event.widget_id or "" for event in session.impressions}:
            put(result.rows, "exposures", exposure_row(session, widget_id, store))
    for key, counted in windows(events).items():
        put(result.rows, "counters", counter_row(key, dict(sorted(counted.items()))))
    return result


def store_day(at: int, store: Store) -> int:
    """The store-local date of an instant (ms) as days since 1970-01-01."""
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)).astimezone(ZoneInfo(store.zone))
    return (local.date() - date(1970, 1, 1)).days


def _session_key(order: Order, sessions: Sequence[Session]) -> str:
    if order.first.session_id is not None:
        return "s:" + order.first.session_id
    return next((session.key for session in sessions if order.first in session.joined), "")


def _viewed(session: Session, widget_id: str | None = None) -> bool:
    """H76: an impression, then (or at once) the details of the product; by widget, if one is given."""
    return any(
        view.at >= seen.at
        for view in session.of("detail_viewed")
        for seen in impressions_of(session.impressions, view.product_id)
        if widget_id is None or (seen.event.widget_id == widget_id and view.widget_id in (None, widget_id))
    )


def exposed_by(
    order: Order, credit: OrderCredit, sessions: Sequence[Session], store: Store
) -> list[tuple[str, str]]:
    """H77: (session key, widget) of the impressions of a direct line's product before its last add, in the window.

    `sessions`: of the order's person in the store.
    """
    return sorted(
        {
            (session.key, seen.event.widget_id or "")
            for line, got in zip(order.capture.lines, credit.lines, strict=True)
            if got.credit == "direct"
            for session in sessions
            for seen in impressions_of(session.impressions, line.product_id)
            if seen.at <= got.added_at <= order.first.at
            and order.first.at - seen.at <= store.attribution_window_ms
        }
    )


def session_row(session: Session, store: Store) -> SessionRow:
    """The session as its events make it."""
    messages = session.of("message")
    last_shown_at = max((event.at for event in session.impressions), default=0)
    return SessionRow(
        store_id=session.store_id,
        person=session.person,
        session_key=session.key,
        born=0,
        channel=session.channel,
        device=first_given(session, "device"),
        country=first_given(session, "country"),
        started_at=session.started_at,
        ended_at=session.ended_at,
        closes_at=closes_at(session, store),
        store_date=store_day(session.started_at, store),
        present=int(is_present(session)),
        active=int(is_active(session)),
        activities=len(session.of("activity")),
        messages_in=sum(event.direction == "in" for event in messages),
        messages_out=sum(event.direction == "out" for event in messages),
        supports=len(session.of("support_joined")),
        impressions=len(session.impressions),
        clicks=len(session.of("clicked")),
        detail_views=len(session.of("detail_viewed")),
        adds=len(session.of("added")),
        removes=len(session.of("removed")),
        empties=len(session.of("emptied")),
        orders=len(session.of("captured")) + len(session.joined),
        goals=len(session.of("goal_reached")),
        **personal_columns(session, store),
        last_shown_at=last_shown_at,
        matures_at=last_shown_at + store.attribution_window_ms if session.impressions else 0,
        viewed=int(_viewed(session)),
    )


def personal_columns(session: Session, store: Store) -> dict[str, Any]:
    """The columns of what was served in the session, and of the goals reached in it."""
    served: dict[tuple[str, str, str], list[int]] = {}
    for event in session.of("experience_served"):
        served.setdefault((event.experience_id, event.variant_id, event.test_id), []).append(event.at)
    keys = sorted(served)
    goals = sorted(session.of("goal_reached"), key=lambda event: (event.at, event.event_id))
    return {
        "experience_id": [key[0] for key in keys],
        "variant_id": [key[1] for key in keys],
        "test_id": [key[2] for key in keys],
        "experience_first_at": [min(served[key]) for key in keys],
        "experience_last_at": [max(served[key]) for key in keys],
        "goal_event_id": [goal.event_id for goal in goals],
        "goal_id": [goal.goal_id for goal in goals],
        "goal_experience_id": [goal.experience_id for goal in goals],
        "goal_at": [goal.at for goal in goals],
        "goal_date": [store_day(goal.at, store) for goal in goals],
        "goal_valued": [int(goal.value is not None) for goal in goals],
        "goal_value": [goal.value or 0 for goal in goals],
        "goal_currency": [goal.value_currency for goal in goals],
        "goal_exponent": [EXPONENT[goal.value_currency] for goal in goals],
    }


def exposure_row(session: Session, widget_id: str, store: Store) -> ExposureRow:
    """What the session saw of one widget (at least one impression)."""
    shown = [event for event in session.impressions if event.widget_id == widget_id]
    dates = sorted({(store_day(event.at, store), event.channel) for event in shown})
    return ExposureRow(
        store_id=session.store_id,
        person=session.person,
        session_key=session.key,
        widget_id=widget_id,
        born=0,
        channel=session.channel,
        started_at=session.started_at,
        store_date=store_day(session.started_at, store),
        strategies=sorted({event.strategy for event in shown if event.strategy is not None}),
        placements=sorted({event.placement for event in shown if event.placement is not None}),
        impressions=len(shown),
        first_shown_at=min(event.at for event in shown),
        last_shown_at=max(event.at for event in shown),
        shown_dates=[day for day, _ in dates],
        shown_channels=[channel for _, channel in dates],
        shown_at=[
            min(event.at for event in shown if (store_day(event.at, store), event.channel) == date)
            for date in dates
        ],
        viewed=int(_viewed(session, widget_id)),
    )


def order_row(
    order: Order,
    credit: OrderCredit,
    session_key: str,
    exposed: Sequence[tuple[str, str]],
    stores: Mapping[str, Store],
    rates: Rates,
) -> OrderRow:
    """The order with its lines, their credit, what it confirms (see `exposed_by`), and what was taken back."""
    store, capture = stores[order.first.store_id], order.capture
    paid = lines_paid(capture, store)
    adjustments = settle(order, paid)
    told = reported(order, paid, adjustments, store, rates)
    touches = [line.touch for line in credit.lines]
    return OrderRow(
        store_id=order.first.store_id,
        order_id=order.first.order_id,
        born=0,
        person=order.first.person,
        channel=order.first.channel,
        session_key=session_key,
        captured_at=order.first.at,
        store_date=store_day(order.first.at, store),
        currency=capture.currency,
        exponent=EXPONENT[capture.currency],
        order_version=capture.order_version,
        total=capture.total,
        shipping=capture.shipping,
        tax=capture.tax,
        line_id=[line.line_id for line in capture.lines],
        product_id=[line.product_id for line in capture.lines],
        sku=[line.sku for line in capture.lines],
        quantity=[line.quantity for line in capture.lines],
        unit_price=[line.unit_price for line in capture.lines],
        discount=[line.discount for line in capture.lines],
        paid=paid,
        credit=[line.credit for line in credit.lines],
        exposure_only=[int(line.exposure_only) for line in credit.lines],
        touch_kind=[touch.kind if touch else "" for touch in touches],
        touch_at=[touch.at if touch else 0 for touch in touches],
        touch_product=[touch.product_id if touch else "" for touch in touches],
        widget_id=[(touch.impression.event.widget_id or "") if touch else "" for touch in touches],
        strategy=[(touch.impression.event.strategy or "") if touch else "" for touch in touches],
        placement=[(touch.impression.event.placement or "") if touch else "" for touch in touches],
        has_interaction=int(credit.has_interaction),
        exposed_session=[session for session, _ in exposed],
        exposed_widget=[widget for _, widget in exposed],
        adjustment=["cancel" if step.event.type == "canceled" else "refund" for step in adjustments],
        adjustment_id=[step.event.refund_id for step in adjustments],
        adjusted_at=[step.event.at for step in adjustments],
        adjustment_date=[store_day(step.event.at, store) for step in adjustments],
        adjustment_amount=[step.amount for step in adjustments],
        adjustment_lines=[list(step.lines) for step in adjustments],
        reporting_currency=told.currency,
        reporting_exponent=told.exponent,
        reporting_rate=rate_text(told.rate),
        reported=int(told.rate is not None),
        reporting_total=told.total,
        reporting_paid=list(told.paid),
        reporting_adjustment_amount=list(told.taken),
        reporting_adjustment_lines=[list(lines) for lines in told.lines_taken],
    )


def windows(events: Sequence[Event]) -> dict[RowKey, dict[str, int]]:
    """Counter key (partition 0) -> measure -> value: accepted events of the 15-minute and of the live windows."""
    found: dict[RowKey, dict[str, int]] = {}
    for event in events:
        sizes = [WINDOW_SECONDS]
        if event.record_ms is not None and event.record_ms - event.at <= LIVE_HORIZON_MS:
            sizes.append(LIVE_WINDOW_SECONDS)
        measure = MEASURE_OF[event.topic, event.type]
        if event.type == "message" and event.direction == "out":
            measure = MESSAGES_OUT
        counted = {measure: 1}
        if event.type == "shown":
            counted[PRODUCTS_SHOWN] = len(event.products)
        if event.type == "added":
            counted[UNITS_ADDED] = event.quantity
        for seconds in sizes:
            start = event.at // (seconds * 1000) * (seconds * 1000)
            window = found.setdefault((event.store_id, seconds, start, event.channel, 0), {})
            for name, value in counted.items():
                window[name] = window.get(name, 0) + value
    return found
