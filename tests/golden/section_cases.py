"""Cases worked out by hand for the sections that section 9 leaves out: personalisation, journeys, gauges, customers.

Times and days as in `tests.golden.cases`: `TEN` is 2026-01-01T10:00:00Z. Money in minor units.
"""

from datetime import date
from fractions import Fraction
from typing import Any, Final

from tests.golden.asking import Answers, Ask, MetricCase, percent
from tests.golden.cases import DAY, HOUR, MINUTE, TEN, event
from tests.golden.period_cases import utc
from tests.oracle.wire import Sent

NEW_YEAR: Final = date(2026, 1, 1)
LATER: Final = TEN + 60 * DAY


def on(day: date, answers: Answers, by: str | None = None) -> Ask:
    """A question about one day, long after everything."""
    return Ask("custom", LATER, answers, first=day, last=day, by=by)


def order(who: str, at: int, order_id: str, price: str, **fields: Any) -> Sent:
    """A capture of one piece; `fields` such as session_id, shipping, total."""
    lines = [{"product_id": "p1", "quantity": 1, "unit_price": price}]
    bought = {"order_id": order_id, "currency": "EUR", "lines": lines, "total": price}
    return event("order", "captured", at, customer_id=who, **{**bought, **fields})


def personalization() -> MetricCase:
    """ann is served e1 (v1) and e2, reaches goals before and after, and buys for 20.00; bob is served e1 (v2).

    Her goal before the first experience is nobody's; `sign` of 5.00 and the purchase belong to e1 and e2 each, the one
    that names e9 to e9 alone. cid's names e1, which he never was served: a conversion, not a personalised session.
    """
    ann, cid = {"customer_id": "ann", "session_id": "s1"}, {"customer_id": "cid", "session_id": "s3"}
    sign = {"goal_id": "sign"}
    events = [
        event("session", "goal_reached", TEN, **ann, goal_id="early", value=1),
        event(
            *("session", "experience_served", TEN + MINUTE),
            **{**ann, "experience_id": "e1", "variant_id": "v1", "test_id": "t1"},
        ),
        event("session", "experience_served", TEN + 2 * MINUTE, **ann, experience_id="e2"),
        event("session", "goal_reached", TEN + 3 * MINUTE, **ann, **sign, value="5.00"),
        order("ann", TEN + 4 * MINUTE, "o1", "20.00", session_id="s1"),
        event("session", "goal_reached", TEN + 5 * MINUTE, **ann, goal_id="purchase"),
        event(
            *("session", "goal_reached", TEN + 6 * MINUTE),
            **{**ann, **sign, "experience_id": "e9", "value": 700, "currency": "JPY"},
        ),
        event(
            *("session", "experience_served", TEN + 7 * MINUTE),
            customer_id="bob",
            session_id="s2",
            experience_id="e1",
            variant_id="v2",
        ),
        event("session", "goal_reached", TEN + 8 * MINUTE, **cid, **sign, experience_id="e1"),
    ]
    whole: Answers = {
        "personalized_sessions": 2,
        ("personalization_revenue", "", "EUR"): 2_000,
        ("personalization_aov", "", "EUR"): Fraction(2_000),
        "personalization_conversions": 4,
        ("personalization_goal_revenue", "", "EUR"): 2_500,
        ("personalization_goal_revenue", "", "JPY"): 700,
        "personalization_purchase_rate": Fraction(50),
        "personalization_conversion_rate": Fraction(50),
    }
    by_experience: Answers = {
        ("personalized_sessions", "e1"): 2,
        ("personalized_sessions", "e2"): 1,
        ("personalized_sessions", "e9"): 0,
        ("personalization_revenue", "e1", "EUR"): 2_000,
        ("personalization_revenue", "e2", "EUR"): 2_000,
        ("personalization_conversions", "e1"): 3,
        ("personalization_conversions", "e2"): 2,
        ("personalization_conversions", "e9"): 1,
        ("personalization_goal_revenue", "e1", "EUR"): 2_500,
        ("personalization_goal_revenue", "e2", "EUR"): 2_500,
        ("personalization_goal_revenue", "e9", "JPY"): 700,
        ("personalization_purchase_rate", "e1"): Fraction(50),
        ("personalization_purchase_rate", "e2"): Fraction(100),
    }
    by_variant: Answers = {
        ("personalized_sessions", "v1"): 1,
        ("personalized_sessions", "v2"): 1,
        ("personalization_revenue", "v1", "EUR"): 2_000,
        ("personalization_revenue", "v2", "EUR"): 0,
    }
    by_goal: Answers = {
        ("personalization_conversions", "sign"): 3,
        ("personalization_conversions", "purchase"): 1,
        ("personalization_conversions", "early"): 0,
        ("personalization_goal_revenue", "sign", "EUR"): 500,
        ("personalization_goal_revenue", "purchase", "EUR"): 2_000,
        ("personalization_conversion_rate", "sign"): Fraction(50),
    }
    cuts = [("experience_id", by_experience), ("variant_id", by_variant), ("goal_id", by_goal)]
    asks = [on(NEW_YEAR, whole), *(on(NEW_YEAR, answers, by) for by, answers in cuts)]
    return MetricCase("personalisation", events, asks)


def purchase_goals() -> MetricCase:
    """Two orders of a session, four minutes apart; a goal in the middle takes the earlier one, one later the nearer."""
    dan = {"customer_id": "dan", "session_id": "s4"}
    events = [
        event("session", "experience_served", TEN - MINUTE, **dan, experience_id="e1"),
        order("dan", TEN, "o1", "10.00", session_id="s4"),
        event("session", "goal_reached", TEN + 2 * MINUTE, **dan, goal_id="purchase"),
        event("session", "goal_reached", TEN + 2 * MINUTE + 1, **dan, goal_id="purchase"),
        order("dan", TEN + 4 * MINUTE, "o2", "20.00", session_id="s4"),
        # Without an order in its session it counts, and brings no money; any other goal without a value likewise.
        event("session", "experience_served", TEN, customer_id="eve", session_id="s5", experience_id="e1"),
        event("session", "goal_reached", TEN, customer_id="eve", session_id="s5", goal_id="purchase"),
        event("session", "goal_reached", TEN + 3 * MINUTE, **dan, goal_id="sign"),
    ]
    events.sort(key=lambda sent: sent.timestamp_ms)
    answers: Answers = {
        "personalization_conversions": 4,
        ("personalization_goal_revenue", "", "EUR"): 3_000,
        ("personalization_aov", "", "EUR"): Fraction(1_500),
        "personalization_purchase_rate": Fraction(50),
    }
    return MetricCase("purchase goals", events, [on(NEW_YEAR, answers)])


def step(at: int, kind: str, execution_id: str, **fields: Any) -> Sent:
    """An event of a journey: x1 and x2 run j1, the others j2."""
    journey_id = "j1" if execution_id in ("x1", "x2") else "j2"
    who = {"customer_id": "ann", "execution_id": execution_id, "journey_id": journey_id}
    return event("journey-node", kind, at, **who, **fields)


def node(at: int, execution_id: str, kind: str) -> Sent:
    """A node is reached."""
    return step(at, "node_entered", execution_id, node_id=kind, node_type=kind)


def sent(at: int, communication_id: str, by: str) -> Sent:
    """A message of x1."""
    told = {"communication_id": communication_id, "notification_channel": by}
    return step(at, "notification_sent", "x1", **told)


def journeys() -> MetricCase:
    """Five executions: x3 never started, x2 has both terminal nodes in one ms, x4 reaches its goal after the cancel."""
    events = [
        step(TEN, "started", "x1", journey_version=3),
        sent(TEN + 1, "c1", "email"),
        step(TEN + MINUTE, "started", "x2"),
        node(TEN + 2 * MINUTE, "x3", "cancel"),
        step(TEN + 3 * MINUTE, "started", "x4"),
        step(TEN + 4 * MINUTE, "started", "x5"),
        node(TEN + 10 * MINUTE, "x4", "cancel"),
        node(TEN + 20 * MINUTE, "x4", "end"),
        step(TEN + 30 * MINUTE, "goal_reached", "x4"),
        node(TEN + HOUR, "x2", "cancel"),
        node(TEN + HOUR, "x2", "end"),
        step(TEN + DAY, "goal_reached", "x1", value=5),
        # c1 once more, another way: it stays an email of New Year.
        sent(TEN + DAY, "c1", "sms"),
        sent(TEN + DAY, "c2", "sms"),
        node(TEN + 2 * DAY, "x1", "end"),
        step(TEN + 5 * DAY, "started", "x5"),
    ]
    whole: Answers = {
        "journeys_started": 4,
        "journeys_completed": 1,
        "journeys_canceled": 2,
        "journey_conversion_rate": Fraction(50),
        "journey_notifications_sent": 1,
        "journey_executions_in_progress": 1,
        "active_journeys": 0,
    }
    by_journey: Answers = {
        ("journeys_started", "j1"): 2,
        ("journeys_started", "j2"): 2,
        ("journeys_completed", "j1"): 1,
        ("journeys_canceled", "j2"): 2,
        ("journey_conversion_rate", "j1"): Fraction(50),
    }
    second = date(2026, 1, 2)
    asks = [
        on(NEW_YEAR, whole),
        on(NEW_YEAR, by_journey, "journey_id"),
        on(NEW_YEAR, {("journeys_started", "3"): 1}, "journey_version"),
        on(NEW_YEAR, {("journey_notifications_sent", "email"): 1}, "notification_channel"),
        on(second, {("journey_notifications_sent", "sms"): 1}, "notification_channel"),
        on(date(2026, 1, 3), {"journeys_completed": 1, "journeys_started": 0}),
        # Without definitions: j2 was seen in the 24 hours before, up to the millisecond before.
        Ask("today", TEN + 5 * DAY + 1, {"active_journeys": 1, "journey_executions_in_progress": 1}),
        Ask("today", TEN + 6 * DAY, {"active_journeys": 0}),
    ]
    return MetricCase("journeys", events, asks)


def defined(number: int, kind: str, name: str, status: str | None, since: int) -> Sent:
    """A definition (`status` None: taken away); `number` is its place in the topic."""
    key = f"acme|{kind}|{name}".encode()
    said = {"store_id": "acme", "kind": kind, "id": name, "status": status, "effective_at": since}
    return Sent("definition", None if status is None else said, TEN + number, key)


def gauges() -> MetricCase:
    """e2 is paused since, e3 waits for its day, e4 only `running` (H95), e5 was taken away; t2 has ended and begun."""
    events = [
        defined(0, "experience", "e1", "active", TEN - DAY),
        defined(1, "experience", "e2", "active", TEN - DAY),
        defined(2, "experience", "e2", "paused", TEN),
        defined(3, "experience", "e3", "active", TEN + 40 * DAY),
        defined(4, "experience", "e4", "running", TEN),
        defined(5, "experience", "e5", "active", TEN),
        defined(6, "experience", "e5", None, 0),
        defined(7, "ab_test", "t1", "running", TEN),
        defined(8, "ab_test", "t2", "ended", TEN + DAY),
        # Of two at one instant the later record stands.
        defined(9, "ab_test", "t2", "running", TEN + DAY),
        event("session", "experience_served", TEN, customer_id="ann", experience_id="e7", test_id="t9"),
    ]
    early: Answers = {"active_experiences": 1, "running_ab_tests": 2}
    late: Answers = {"active_experiences": 2, "running_ab_tests": 2}
    asks = [
        Ask("yesterday", TEN + 2 * DAY, early),
        Ask("yesterday", TEN + 40 * DAY - 1, early),
        Ask("yesterday", TEN + 40 * DAY, late),
        # t2 is not defined yet, so one runs.
        Ask("yesterday", TEN + DAY - 1, {"running_ab_tests": 1}),
    ]
    return MetricCase("gauges", events, asks)


def customers() -> MetricCase:
    """As of 2026-01-31T07:00Z: the snapshot is 06:00, the base period 2025-02-01 to 2026-01-31.

    amy bought on Feb 10 and Dec 1 (5.00 each; a mail came exactly 168 h before the second), ben on Mar 31 (7.00),
    dan's goods all came back (the shipping did not), eve's order was canceled, fay got one for nothing on Dec 31, gus
    bought after the snapshot, hal (10.00) got 3.00 back after it.
    """
    refund = {"refund_id": "r1", "amount": "10.00"}
    mail = {"communication_id": "c1", "notification_channel": "email", "journey_id": "j1"}
    events = [
        order("amy", utc("2025-02-10T10:00"), "a1", "5.00"),
        order("ben", utc("2025-03-31T10:00"), "b1", "7.00"),
        order("dan", utc("2025-06-15T10:00"), "d1", "10.00", shipping="2.00", total="12.00"),
        event("order", "refunded", utc("2025-06-20T10:00"), order_id="d1", **refund, lines=PART_OF_P1),
        order("eve", utc("2025-07-01T10:00"), "e1", "9.00"),
        event(
            *("journey-node", "notification_sent", utc("2025-11-24T10:00")),
            **{"customer_id": "amy", "execution_id": "x1", **mail},
        ),
        order("amy", utc("2025-12-01T10:00"), "a2", "5.00"),
        event("order", "canceled", utc("2025-12-31T05:00"), order_id="e1"),
        order("fay", utc("2025-12-31T23:00"), "f1", "0"),
        order("hal", utc("2026-01-30T10:00"), "h1", "10.00"),
        order("gus", utc("2026-01-31T06:00"), "g1", "4.00"),
        event(
            *("order", "refunded", utc("2026-01-31T06:30")),
            order_id="h1",
            refund_id="r2",
            amount="3.00",
        ),
    ]
    as_of = utc("2026-01-31T07:00")
    base: Answers = {
        # hal a day ago; amy and fay one whole month (Dec 31 to Jan 31); ben ten.
        ("customers_by_recency", "0-1"): 1,
        ("customers_by_recency", "1-3"): 2,
        ("customers_by_recency", "3-7"): 0,
        ("customers_by_recency", "7-11"): 1,
        ("customers_by_recency", "11-12"): 0,
        "one_receipt_customers": 3,
        "repeat_customers": 1,
        "repeat_customers_pct": Fraction(25),
        ("one_receipt_revenue", "", "EUR"): 1_700,
        ("repeat_revenue", "", "EUR"): 1_000,
        ("repeat_revenue_pct", "", "EUR"): percent(1_000, 2_700),
    }
    december: Answers = {
        ("assisted_receipts", "2025-12"): 1,
        ("assisted_amount", "2025-12", "EUR"): 500,
        ("regular_receipts", "2025-12"): 1,
        ("regular_amount", "2025-12", "EUR"): 0,
        # amy and fay bought, amy for the second time; amy, ben and fay are known, and nobody else stands.
        ("repeat_purchase_share", "2025-12"): Fraction(50),
        ("repeat_purchase_share_of_base", "2025-12"): percent(1, 3),
        # Three customers: cut points at positions 1, 2, 2, 3, so nobody is above the last, and the first is lost.
        ("best_customers", "2025-12"): 0,
        ("lost_customers", "2025-12"): 1,
    }
    june: Answers = {
        # At the end of June the goods were back, so dan had no receipt; nor has eve one yet.
        ("regular_receipts", "2025-06"): 0,
        ("repeat_purchase_share", "2025-06"): None,
        ("repeat_purchase_share_of_base", "2025-06"): Fraction(0),
    }
    # eve's order of July stood at the end of July: what came in December does not change that month (H115).
    july: Answers = {("regular_receipts", "2025-07"): 1, ("regular_amount", "2025-07", "EUR"): 900}
    days = {date(2025, 12, 15): december, date(2025, 6, 1): june, date(2025, 7, 31): july}
    asks = [Ask("yesterday", as_of, base)]
    asks += [Ask("custom", as_of, answers, first=day, last=day) for day, answers in days.items()]
    by_month: Answers = {
        ("customers_by_recency", str(month)): int(month in (0, 10)) for month in range(2, 12)
    }
    asks.append(Ask("yesterday", as_of, by_month, by="recency_months"))
    by_channel: Answers = {("assisted_receipts", "2025-12|email"): 1}
    asks.append(
        Ask(
            *("custom", as_of, by_channel),
            first=date(2025, 12, 1),
            last=date(2025, 12, 31),
            by="notification_channel",
        )
    )
    return MetricCase("customers", events, asks)


PART_OF_P1: Final = [{"product_id": "p1", "quantity": 1, "amount": "10.00"}]
SECTION_CASES: Final = (personalization(), purchase_goals(), journeys(), gauges(), customers())
