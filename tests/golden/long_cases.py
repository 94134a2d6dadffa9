"""Cases worked out by hand of what lies weeks from where it belongs: a talk of a month, a refund before its order.

Times and days as in `tests.golden.cases`: `TEN` is 2026-01-01T10:00:00Z. Money in minor units.
"""

from datetime import date
from fractions import Fraction
from typing import Any, Final

from schemas.stores import Store
from tests.golden.asking import Answers, Ask, MetricCase
from tests.golden.cases import DAY, HOUR, MINUTE, TEN, event
from tests.golden.section_cases import NEW_YEAR, on, order

LATE: Final = TEN + 29 * DAY
THIRTIETH: Final = date(2026, 1, 30)


def talk() -> MetricCase:
    """ann writes every day for thirty days: exactly the time-out lies between, so all of it is the session of Jan 1.

    On Jan 30 she is served e1 again, reaches a goal of 5.00, sees p1, adds it and buys it for 20.00. What has a time of
    its own counts on that day; what is of the session counts on the day it started.
    """
    ann: dict[str, Any] = {"customer_id": "ann", "channel": "whatsapp"}
    seen: dict[str, Any] = {"widget_id": "A", "products": [{"product_id": "p1"}]}
    events = [
        event("session", "message", TEN, **ann, direction="in"),
        event("session", "experience_served", TEN + MINUTE, **ann, experience_id="e1"),
        *(event("session", "message", TEN + number * DAY, **ann, direction="in") for number in range(1, 30)),
        event("session", "experience_served", LATE + MINUTE, **ann, experience_id="e1"),
        event("session", "goal_reached", LATE + 2 * MINUTE, **ann, goal_id="sign", value=5),
        event("impression", "shown", LATE + 3 * MINUTE, **ann, **seen),
        event("cart", "added", LATE + 4 * MINUTE, **ann, product_id="p1", quantity=1),
        order("ann", LATE + 5 * MINUTE, "o1", "20.00", channel="whatsapp"),
    ]
    late: Answers = {
        "total_sessions": 0,
        "personalization_conversions": 1,
        ("personalization_goal_revenue", "", "EUR"): 500,
        ("personalization_revenue", "", "EUR"): 2_000,
        ("recommendation_direct_revenue", "", "EUR"): 2_000,
        "recommendation_unique_customers": 1,
    }
    early: Answers = {
        "total_sessions": 1,
        "personalized_sessions": 1,
        "personalization_conversions": 0,
        "recommendation_unique_customers": 0,
        "recommendation_conversion_rate": Fraction(100),
        "purchase_sessions_with_recommended_pct": Fraction(100),
    }
    by_experience: Answers = {
        ("personalization_conversions", "e1"): 1,
        ("personalization_revenue", "e1", "EUR"): 2_000,
    }
    asks = [
        on(THIRTIETH, late),
        on(NEW_YEAR, early),
        on(THIRTIETH, by_experience, "experience_id"),
        on(NEW_YEAR, {("recommendation_conversion_rate", "A"): Fraction(100)}, "widget_id"),
        Ask("yesterday", LATE + HOUR, {"active_experiences": 1}),
    ]
    store = Store(channel_session_timeout_ms={"whatsapp": DAY})
    return MetricCase("a talk of a month", events, asks, store)


def refund_before_the_order() -> MetricCase:
    """5.00 of an order of Jan 30 are given back on Jan 1, as a clock somewhere says: it counts on its own day (H55)."""
    back = {"order_id": "o1", "refund_id": "r1", "amount": "5.00"}
    events = [
        event("order", "refunded", TEN, customer_id="ann", **back),
        order("ann", LATE, "o1", "20.00"),
    ]
    given: Answers = {
        ("refunded_revenue", "", "EUR"): 500,
        ("total_revenue", "", "EUR"): 0,
        ("net_revenue", "", "EUR"): -500,
    }
    bought: Answers = {("refunded_revenue", "", "EUR"): 0, ("net_revenue", "", "EUR"): 2_000}
    return MetricCase("a refund before its order", events, [on(NEW_YEAR, given), on(THIRTIETH, bought)])


LONG_CASES: Final = (talk(), refund_before_the_order())
