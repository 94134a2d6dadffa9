"""The twelve golden cases of metrics.md section 9 as questions to a report, answers worked out by hand.

Times and days as in `tests.golden.cases`: `TEN` is 2026-01-01T10:00:00Z. Money in minor units.
"""

from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Final

from schemas.stores import Store
from tests.golden import cases, money_cases
from tests.golden.asking import Answers, Ask, MetricCase, about, percent
from tests.golden.cases import DAY, HOUR, MINUTE, TEN, event
from tests.golden.long_cases import LONG_CASES
from tests.golden.reporting_cases import REPORTING_CASE
from tests.golden.section_cases import SECTION_CASES
from tests.oracle.wire import Sent

NEW_YEAR: Final = date(2026, 1, 1)


def on(day: date, answers: Answers) -> Ask:
    """A question about one day, long after everything."""
    return Ask("custom", TEN + 60 * DAY, answers, first=day, last=day)


def window_edge(*, in_window: bool) -> MetricCase:
    """Golden 1 (see `cases.window_edge`): the order of Jan 8 is 140.00 with lines of 100.00 and 30.00."""
    case = cases.window_edge("1 window edge", 0 if in_window else 1, in_window=in_window)
    direct, assisted = (10_000, 3_000) if in_window else (0, 13_000)
    sold: Answers = {
        ("total_revenue", "", "EUR"): 14_000,
        ("recommendation_direct_revenue", "", "EUR"): direct,
        ("recommendation_direct_revenue_net", "", "EUR"): direct,
        ("recommendation_assisted_revenue", "", "EUR"): assisted,
        ("recommendation_assisted_revenue_inclusive", "", "EUR"): 13_000,
        ("exposure_only_revenue", "", "EUR"): 0,
        ("average_ticket", "", "EUR"): Fraction(14_000),
        # 130.00 for three pieces.
        ("average_price_per_item", "", "EUR"): Fraction(13_000, 3),
        "items_per_order": Fraction(3),
        "recommended_product_purchases": int(in_window),
        "recommended_units": 2 if in_window else 0,
        # The session of Jan 8 has the order; it saw no recommendation itself.
        "recommendation_sessions": 0,
        "recommendation_conversion_rate": None,
        "purchase_sessions_with_recommended_pct": Fraction(100 if in_window else 0),
    }
    shown: Answers = {
        "recommendation_sessions": 1,
        "recommendation_ctr": Fraction(0),
        "recommendation_conversion_rate": Fraction(100 if in_window else 0),
        "recommendation_unique_customers": 1,
        ("total_revenue", "", "EUR"): 0,
        "conversion_rate": Fraction(0),
    }
    by_widget: Answers = {
        ("recommendation_conversion_rate", "A"): Fraction(0),
        ("recommendation_conversion_rate", "B"): Fraction(100 if in_window else 0),
        ("recommendation_sessions", "A"): 1,
        ("recommendation_unique_customers", "B"): 1,
    }
    eighth = date(2026, 1, 8)
    sold_by_widget = Ask(
        "custom",
        TEN + 60 * DAY,
        {
            ("recommendation_direct_revenue", "B", "EUR"): direct,
            ("recommendation_assisted_revenue", "B", "EUR"): assisted,
            ("recommendation_direct_revenue", "A", "EUR"): 0,
        },
        first=eighth,
        last=eighth,
        by="widget_id",
    )
    asks = [on(eighth, sold), on(NEW_YEAR, shown), replace(on(NEW_YEAR, by_widget), by="widget_id")]
    return replace(about(case, *asks, sold_by_widget), name=f"1 window edge, in window: {in_window}")


def login() -> MetricCase:
    """Golden 3: a device sees and takes p1, logs in as ann, and ann buys it: her only user, her direct revenue."""
    device = {"anonymous_id": "d-3", "session_id": "s3"}
    ann = {**device, "customer_id": "ann"}
    events = [
        event("impression", "shown", TEN, **device, widget_id="W", products=[{"product_id": "p1"}]),
        event("cart", "added", TEN + 5 * MINUTE, **device, product_id="p1", quantity=1),
        event("session", "identified", TEN + 10 * MINUTE, **ann),
        event(
            "order",
            "captured",
            TEN + 15 * MINUTE,
            customer_id="ann",
            session_id="s3",
            order_id="o3",
            currency="EUR",
            lines=[{"product_id": "p1", "quantity": 1, "unit_price": 25}],
            total=25,
        ),
    ]
    answers: Answers = {
        "total_users": 1,
        "total_new_users": 1,
        "total_sessions": 1,
        "channel_sessions": 1,
        "recommendation_unique_customers": 1,
        "recommendation_conversion_rate": Fraction(100),
        ("recommendation_direct_revenue", "", "EUR"): 2_500,
        "average_conversion_per_user": Fraction(1),
    }
    return MetricCase("3 login after impression", events, [on(NEW_YEAR, answers)])


def midnight() -> MetricCase:
    """Golden 4: the session is of Jan 1, its order of Jan 2, whose conversion rate has an order and no session."""
    return about(
        cases.midnight(),
        on(
            NEW_YEAR,
            {"channel_sessions": 1, "total_orders": 0, "conversion_rate": Fraction(0), "total_users": 1},
        ),
        on(
            date(2026, 1, 2),
            {
                "channel_sessions": 0,
                "total_orders": 1,
                "conversion_rate": None,
                "average_conversion_per_user": None,
                ("total_revenue", "", "EUR"): 2_000,
            },
        ),
    )


def users() -> MetricCase:
    """Golden 5: one person on three days; new on the first, back on the others, one user over all of them."""
    days = [
        on(
            date(2026, 1, day),
            {"total_users": 1, "total_new_users": int(day == 1), "total_returning_users": int(day > 1)},
        )
        for day in (1, 2, 3)
    ]
    whole = Ask(
        "custom",
        TEN + 60 * DAY,
        {"total_users": 1, "total_new_users": 1, "total_returning_users": 0, "channel_sessions": 3},
        first=NEW_YEAR,
        last=date(2026, 1, 3),
    )
    return about(cases.users(), *days, whole)


def two_currencies() -> MetricCase:
    """Golden 7: two orders, counted together and paid apart."""
    return about(
        money_cases.two_currencies(),
        on(
            NEW_YEAR,
            {
                ("total_revenue", "", "EUR"): 1_234,
                ("total_revenue", "", "JPY"): 500,
                ("average_ticket", "", "EUR"): Fraction(1_234),
                ("average_ticket", "", "JPY"): Fraction(500),
                ("average_price_per_item", "", "EUR"): Fraction(617),
                "total_orders": 2,
                "items_per_order": Fraction(3, 2),
                # No session was open: the orders belong to none (E28).
                "channel_sessions": 0,
                "conversion_rate": None,
            },
        ),
    )


def refund() -> MetricCase:
    """Golden 8: captured stays; net, direct and assisted go down on the days of the refunds and of the cancel."""
    taken_back = {
        11: ("refunded_revenue", 4_000, 0, 2_500),
        12: ("refunded_revenue", 6_500, 5_200, 1_300),
        13: ("canceled_revenue", 500, 800, 200),
    }
    asks = [
        on(
            NEW_YEAR,
            {
                ("total_revenue", "", "EUR"): 11_000,
                ("net_revenue", "", "EUR"): 11_000,
                ("recommendation_direct_revenue", "", "EUR"): 6_000,
                ("recommendation_direct_revenue_net", "", "EUR"): 6_000,
                "canceled_orders": 0,
            },
        )
    ]
    for day, (metric, amount, direct, assisted) in taken_back.items():
        asks.append(
            on(
                date(2026, 1, day),
                {
                    ("total_revenue", "", "EUR"): 0,
                    (metric, "", "EUR"): amount,
                    ("net_revenue", "", "EUR"): -amount,
                    ("recommendation_direct_revenue_net", "", "EUR"): -direct,
                    ("recommendation_assisted_revenue_net", "", "EUR"): -assisted,
                    "canceled_orders": int(metric == "canceled_revenue"),
                },
            )
        )
    return about(money_cases.refund(), *asks)


def discount() -> MetricCase:
    """Golden 9: 90.00 for three pieces."""
    return about(
        money_cases.discount(),
        on(
            NEW_YEAR,
            {
                ("total_revenue", "", "EUR"): 9_000,
                ("average_price_per_item", "", "EUR"): Fraction(3_000),
                "items_per_order": Fraction(3),
            },
        ),
    )


def bounce() -> MetricCase:
    """Golden 10: of three closed sessions one is a bounce; the silent thread is in no count."""
    closed = Ask(
        "custom",
        TEN + 60 * MINUTE + 1,
        {
            "channel_sessions": 3,
            "total_sessions": 3,
            "bounce_rate": percent(1, 3),
            "total_users": 3,
            "total_orders": 1,
            "conversion_rate": percent(1, 3),
            "self_service_sessions": 3,
            "self_service_pct": Fraction(100),
            "human_support_pct": Fraction(0),
        },
        first=NEW_YEAR,
        last=NEW_YEAR,
        channel="whatsapp",
    )
    # A millisecond before, the buyer's session is open still: closed is one bounce of two.
    open_still = replace(closed, as_of=TEN + 60 * MINUTE, answers={"bounce_rate": percent(1, 2)})
    # At the order's millisecond nothing is closed: exactly the time-out is not more than it.
    none_closed = replace(closed, as_of=TEN + 30 * MINUTE, answers={"bounce_rate": None})
    elsewhere = replace(closed, channel="web", answers={"channel_sessions": 0, "bounce_rate": None})
    return about(money_cases.bounce(), closed, open_still, none_closed, elsewhere)


def bought(who: str, at: int, number: int) -> Sent:
    """An order of 1.00."""
    return event(
        "order",
        "captured",
        at,
        customer_id=who,
        order_id=f"{who}-{number}",
        currency="EUR",
        lines=[{"product_id": "p1", "quantity": 1, "unit_price": 1}],
        total=1,
    )


def repeat_share() -> MetricCase:
    """Golden 12: January has 9 buyers, 8 of them for the second time at least; 100 customers are known by then."""
    may = TEN - 240 * DAY
    events = [bought(f"old-{number:02}", may + number * HOUR, 0) for number in range(91)]
    events += [bought(f"back-{number}", may + (100 + number) * HOUR, 0) for number in range(8)]
    events += [bought(f"back-{number}", TEN + number * HOUR, 1) for number in range(8)]
    events += [bought("fresh", TEN + 10 * HOUR, 0)]
    # What happens in February does not change January (E34).
    events += [bought("old-00", TEN + 31 * DAY, 1)]
    events.sort(key=lambda sent: sent.timestamp_ms)
    january = on(
        date(2026, 1, 15),
        {
            ("repeat_purchase_share", "2026-01"): percent(8, 9),
            ("repeat_purchase_share_of_base", "2026-01"): Fraction(8),
            ("regular_receipts", "2026-01"): 9,
            ("regular_amount", "2026-01", "EUR"): 900,
            ("assisted_receipts", "2026-01"): 0,
        },
    )
    february = on(
        date(2026, 2, 1),
        {
            ("repeat_purchase_share", "2026-02"): Fraction(100),
            ("repeat_purchase_share_of_base", "2026-02"): Fraction(9),
        },
    )
    return MetricCase("12 repeat share", events, [january, february], Store())


METRIC_CASES: Final = (
    window_edge(in_window=True),
    window_edge(in_window=False),
    login(),
    midnight(),
    users(),
    two_currencies(),
    refund(),
    discount(),
    bounce(),
    repeat_share(),
    *SECTION_CASES,
    REPORTING_CASE,
    *LONG_CASES,
)
METRIC_NAMES: Final = [case.name for case in METRIC_CASES]
