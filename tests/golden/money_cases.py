"""Golden cases 7 to 10: currencies, refunds, discounts, bounces. Times as in `tests.golden.cases`."""

from tests.golden.case import Case
from tests.golden.cases import DAY, MINUTE, NEW_YEAR, TEN, event


def two_currencies() -> Case:
    """Golden 7: 12.34 EUR (1 234 cents) and 500 JPY (no minor unit) on one day stay apart."""
    return Case(
        name="7 two currencies",
        events=[
            event(
                "order",
                "captured",
                TEN,
                customer_id="eva",
                order_id="euro",
                currency="EUR",
                lines=[{"product_id": "p1", "quantity": 2, "unit_price": 6.17}],
                total="12.34",
            ),
            event(
                "order",
                "captured",
                TEN + MINUTE,
                customer_id="ken",
                order_id="yen",
                currency="JPY",
                lines=[{"product_id": "p1", "quantity": 1, "unit_price": 500}],
                total="500",
            ),
        ],
        expected={
            "orders": {
                ("acme", "euro"): {"currency": "EUR", "exponent": 2, "total": 1_234, "session_key": ""},
                ("acme", "yen"): {"currency": "JPY", "exponent": 0, "total": 500, "paid": [500]},
            },
            "sessions": {},
        },
        money={
            ("EUR", NEW_YEAR): {"captured": 1_234, "unattributed": 1_234},
            ("JPY", NEW_YEAR): {"captured": 500, "unattributed": 500},
        },
    )


def refund() -> Case:
    """Golden 8: 100.00 + 10.00 shipping on Jan 1; 40.00 back on Jan 11, 25.00 of it for p2."""
    zoe = {"customer_id": "zoe"}
    return Case(
        name="8 refund ten days later",
        events=[
            event("impression", "shown", TEN, **zoe, widget_id="W", products=[{"product_id": "p1"}]),
            event("cart", "added", TEN + MINUTE, **zoe, product_id="p1", quantity=1),
            event(
                "order",
                "captured",
                TEN + 2 * MINUTE,
                **zoe,
                order_id="o8",
                currency="EUR",
                lines=[
                    {"product_id": "p1", "quantity": 1, "unit_price": "60.00"},
                    {"line_id": "second", "product_id": "p2", "quantity": 1, "unit_price": "40.00"},
                ],
                shipping="10.00",
                total="110.00",
            ),
            event(
                "order",
                "refunded",
                TEN + 10 * DAY,
                order_id="o8",
                refund_id="r1",
                amount="40.00",
                lines=[{"line_id": "second", "product_id": "p2", "quantity": 1, "amount": "25.00"}],
            ),
            # Without lines: 65.00 over what is left, 60.00 of p1 and 15.00 of p2: 65 * 60/75 = 52.00 and 13.00.
            event("order", "refunded", TEN + 11 * DAY, order_id="o8", refund_id="r2", amount=65),
            # 110 - 40 - 65 = 5.00 of the total is left; the lines have 8.00 and 2.00.
            event("order", "canceled", TEN + 12 * DAY, order_id="o8"),
        ],
        expected={
            "orders": {
                ("acme", "o8"): {
                    "total": 11_000,
                    "paid": [6_000, 4_000],
                    "credit": ["direct", "assisted"],
                    "adjustment": ["refund", "refund", "cancel"],
                    "adjustment_id": ["r1", "r2", ""],
                    "adjusted_at": [TEN + 10 * DAY, TEN + 11 * DAY, TEN + 12 * DAY],
                    "adjustment_date": [NEW_YEAR + 10, NEW_YEAR + 11, NEW_YEAR + 12],
                    "adjustment_amount": [4_000, 6_500, 500],
                    "adjustment_lines": [[0, 2_500], [5_200, 1_300], [800, 200]],
                }
            }
        },
        money={
            ("EUR", NEW_YEAR): {"captured": 11_000, "direct": 6_000, "assisted": 4_000},
            ("EUR", NEW_YEAR + 10): {"refunded": 4_000, "assisted_back": 2_500},
            ("EUR", NEW_YEAR + 11): {"refunded": 6_500, "direct_back": 5_200, "assisted_back": 1_300},
            ("EUR", NEW_YEAR + 12): {"canceled": 500, "direct_back": 800, "assisted_back": 200},
        },
    )


def discount() -> Case:
    """Golden 9: 10.00 off 100.00. Exact shares 3.334, 3.333, 3.333; floors 3.33 each; the cent goes to the first."""
    return Case(
        name="9 order discount",
        events=[
            event(
                "order",
                "captured",
                TEN,
                customer_id="dan",
                order_id="o9",
                currency="EUR",
                lines=[
                    {"product_id": "p1", "quantity": 1, "unit_price": "33.34"},
                    {"product_id": "p2", "quantity": 1, "unit_price": "33.33"},
                    {"product_id": "p3", "quantity": 1, "unit_price": "33.33"},
                ],
                total="90.00",
            )
        ],
        expected={
            "orders": {("acme", "o9"): {"paid": [3_000, 3_000, 3_000], "unit_price": [3_334, 3_333, 3_333]}}
        },
        money={("EUR", NEW_YEAR): {"captured": 9_000, "unattributed": 9_000}},
    )


def bounce() -> Case:
    """Golden 10: one message; one message and an order; two messages; outbound only. Only the first is a bounce."""
    chat = {"channel": "whatsapp"}
    wrote = {**chat, "direction": "in"}
    return Case(
        name="10 bounce",
        events=[
            event("session", "message", TEN, **wrote, customer_id="one"),
            event("session", "message", TEN, **wrote, customer_id="buyer"),
            event("session", "message", TEN, **wrote, customer_id="two"),
            event("session", "message", TEN, **chat, direction="out", customer_id="silent"),
            event("session", "message", TEN + MINUTE, **wrote, customer_id="two"),
            event(
                "order",
                "captured",
                TEN + 30 * MINUTE,
                **chat,
                customer_id="buyer",
                order_id="o10",
                currency="EUR",
                lines=[{"product_id": "p1", "quantity": 1, "unit_price": 1}],
                total=1,
            ),
        ],
        expected={
            "sessions": {
                ("acme", f"c:{who}", f"g:whatsapp:{TEN}"): {
                    "channel": "whatsapp",
                    "messages_in": came_in,
                    "messages_out": went_out,
                    "orders": orders,
                    "active": active,
                    "present": active,
                    "closes_at": closes_at,
                }
                for who, came_in, went_out, orders, active, closes_at in (
                    ("one", 1, 0, 0, 1, TEN + 30 * MINUTE),
                    # The order at exactly the time-out still joins, and holds the session open for as long again.
                    ("buyer", 1, 0, 1, 1, TEN + 60 * MINUTE),
                    ("two", 2, 0, 0, 1, TEN + 31 * MINUTE),
                    ("silent", 0, 1, 0, 0, TEN + 30 * MINUTE),
                )
            }
        },
    )
