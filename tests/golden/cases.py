"""The golden cases of metrics.md section 9 that need no identity stitching, worked out by hand.

All times are written as 2026-01-01T10:00:00Z (`TEN`, epoch ms) plus days, minutes and milliseconds; 2026-01-01 is day
20454 since 1970 (1 767 225 600 s / 86 400 s). Money is in minor units.
"""

from typing import Any, Final
from zlib import crc32

from schemas.stores import Store
from tests.golden.case import Case
from tests.oracle.wire import Sent

TEN: Final = 1_767_261_600_000  # 2026-01-01T10:00:00.000Z = 1 767 225 600 000 + 10 * 3 600 000
MINUTE: Final = 60_000
HOUR: Final = 3_600_000
DAY: Final = 86_400_000
NEW_YEAR: Final = 20_454  # 2026-01-01 in days since 1970


def event(topic: str, kind: str, at: int, /, **fields: Any) -> Sent:
    """An event of store acme that reaches the broker as it happens. Its id is made of all it says: a repeat is one."""
    event_id = f"{kind}-{at}-{crc32(repr(sorted(fields.items())).encode()):08x}"
    value = {"event_id": event_id, "type": kind, "store_id": "acme", "occurred_at": at}
    return Sent(topic, {**value, **fields}, at)


def window_edge(name: str, late_ms: int, *, in_window: bool) -> Case:
    """Golden 1. u1 sees p1 at 10:00 (A) and 10:01 (B), adds it at 10:05, orders on Jan 8 at 10:01 plus `late_ms`."""
    ordered_at = TEN + 7 * DAY + 1 * MINUTE + late_ms
    u1 = {"customer_id": "u1"}
    return Case(
        name=name,
        events=[
            event(
                "impression",
                "shown",
                TEN,
                **u1,
                session_id="s1",
                widget_id="A",
                products=[{"product_id": "p1"}],
            ),
            event(
                "impression",
                "shown",
                TEN + MINUTE,
                **u1,
                session_id="s1",
                widget_id="B",
                strategy="also-bought",
                placement="top",
                products=[{"product_id": "p1"}],
            ),
            event("cart", "added", TEN + 5 * MINUTE, **u1, session_id="s1", product_id="p1", quantity=2),
            event(
                "order",
                "captured",
                ordered_at,
                **u1,
                session_id="s2",
                order_id="o1",
                currency="EUR",
                lines=[
                    {"product_id": "p1", "quantity": 2, "unit_price": "50.00"},
                    {"product_id": "p3", "quantity": 1, "unit_price": "30.00"},
                ],
                shipping="10.00",
                total="140.00",
            ),
        ],
        expected={
            "orders": {
                ("acme", "o1"): {
                    "person": "c:u1",
                    "session_key": "s:s2",
                    "captured_at": ordered_at,
                    "store_date": NEW_YEAR + 7,
                    "total": 14_000,
                    "shipping": 1_000,
                    # 2 * 50.00 and 1 * 30.00 make 130.00 = 140.00 - 10.00: nothing to spread.
                    "paid": [10_000, 3_000],
                    "credit": ["direct", "assisted"] if in_window else ["assisted", "assisted"],
                    # B at 10:01 is exactly 168 h before the order; one ms later no impression is in the window.
                    # The add at 10:05 is an interaction with p1, last seen in B, either way.
                    "touch_kind": ["shown", "added"] if in_window else ["added", "added"],
                    "touch_at": [TEN + MINUTE if in_window else TEN + 5 * MINUTE, TEN + 5 * MINUTE],
                    "touch_product": ["p1", "p1"],
                    "widget_id": ["B", "B"],
                    "strategy": ["also-bought", "also-bought"],
                    "placement": ["top", "top"],
                    "exposure_only": [0, 0],
                    "has_interaction": 1,
                    # A at 10:00 is 168 h and one minute before the order: A never converts.
                    "exposed_session": ["s:s1"] if in_window else [],
                    "exposed_widget": ["B"] if in_window else [],
                }
            },
            "sessions": {
                ("acme", "c:u1", "s:s1"): {
                    "started_at": TEN,
                    "ended_at": TEN + 5 * MINUTE,
                    "closes_at": TEN + 35 * MINUTE,
                    "store_date": NEW_YEAR,
                    "impressions": 2,
                    "adds": 1,
                    "orders": 0,
                    "last_shown_at": TEN + MINUTE,
                    "matures_at": TEN + MINUTE + 7 * DAY,
                },
                ("acme", "c:u1", "s:s2"): {"orders": 1, "impressions": 0, "matures_at": 0},
            },
            "exposures": {
                ("acme", "c:u1", "s:s1", "A"): {"impressions": 1, "viewed": 0},
                ("acme", "c:u1", "s:s1", "B"): {
                    "impressions": 1,
                    "strategies": ["also-bought"],
                    "placements": ["top"],
                    "shown_dates": [NEW_YEAR],
                    "shown_channels": ["web"],
                },
            },
        },
        money={
            ("EUR", NEW_YEAR + 7): {"captured": 14_000, "direct": 10_000, "assisted": 3_000}
            if in_window
            else {"captured": 14_000, "assisted": 13_000}
        },
    )


def arrival_order() -> Case:
    """Golden 2 and 11: a morning of one guest, to be permuted, doubled and replayed."""
    ann = {"anonymous_id": "d-1"}
    return Case(
        name="2+11 arrival order, replay",
        events=[
            event(
                "impression",
                "shown",
                TEN,
                **ann,
                widget_id="W",
                products=[{"product_id": "p1", "position": 1}, {"product_id": "p2", "position": 2}],
            ),
            event("click", "detail_viewed", TEN + MINUTE, **ann, product_id="p2", widget_id="W"),
            # Exactly 30 minutes after the view: the same session (greater than the time-out cuts).
            event("cart", "added", TEN + 31 * MINUTE, **ann, product_id="p1", quantity=3),
            # One ms more than 30 minutes later: another session.
            event("session", "activity", TEN + 61 * MINUTE + 1, **ann, name="search"),
            event(
                "order",
                "captured",
                TEN + 62 * MINUTE,
                **ann,
                order_id="o2",
                currency="EUR",
                lines=[{"product_id": "p1", "quantity": 1, "unit_price": 9.99}],
                total=9.99,
            ),
            event("order", "canceled", TEN + 90 * MINUTE, order_id="o2"),
        ],
        expected={
            "sessions": {
                ("acme", "a:d-1", f"g:web:{TEN}"): {
                    "ended_at": TEN + 31 * MINUTE,
                    "closes_at": TEN + 61 * MINUTE,
                    "impressions": 1,
                    "detail_views": 1,
                    "adds": 1,
                    "orders": 0,
                    "viewed": 1,
                },
                ("acme", "a:d-1", f"g:web:{TEN + 61 * MINUTE + 1}"): {
                    # The order joins the open session without becoming a member (H36).
                    "ended_at": TEN + 61 * MINUTE + 1,
                    "closes_at": TEN + 92 * MINUTE,
                    "activities": 1,
                    "orders": 1,
                    "active": 1,
                },
            },
            "orders": {
                ("acme", "o2"): {
                    "session_key": f"g:web:{TEN + 61 * MINUTE + 1}",
                    "paid": [999],
                    "credit": ["direct"],
                    "touch_at": [TEN],
                    "adjustment": ["cancel"],
                    "adjusted_at": [TEN + 90 * MINUTE],
                    "adjustment_amount": [999],
                    "adjustment_lines": [[999]],
                }
            },
            "counters": {
                # 10:00 and 10:01; 10:31; 11:01:00.001 and 11:02; 11:30. The live windows are a minute each.
                ("acme", 900, TEN, "web", 0): {
                    "measures": ["detail_views", "impressions", "products_shown"],
                    "values": [1, 1, 2],
                },
                ("acme", 900, TEN + 30 * MINUTE, "web", 0): {
                    "measures": ["adds", "units_added"],
                    "values": [1, 3],
                },
                ("acme", 900, TEN + 60 * MINUTE, "web", 0): {
                    "measures": ["activities", "captures"],
                    "values": [1, 1],
                },
                ("acme", 900, TEN + 90 * MINUTE, "web", 0): {"measures": ["cancels"], "values": [1]},
                ("acme", 60, TEN, "web", 0): {
                    "measures": ["impressions", "products_shown"],
                    "values": [1, 2],
                },
                ("acme", 60, TEN + MINUTE, "web", 0): {"measures": ["detail_views"]},
                ("acme", 60, TEN + 31 * MINUTE, "web", 0): {"values": [1, 3]},
                ("acme", 60, TEN + 61 * MINUTE, "web", 0): {"measures": ["activities"]},
                ("acme", 60, TEN + 62 * MINUTE, "web", 0): {"measures": ["captures"]},
                ("acme", 60, TEN + 90 * MINUTE, "web", 0): {"measures": ["cancels"]},
            },
        },
        money={("EUR", NEW_YEAR): {"captured": 999, "direct": 999, "canceled": 999, "direct_back": 999}},
    )


def midnight() -> Case:
    """Golden 4, in Madrid (UTC+1 in January): local 23:55 is 22:55Z, 12 h 55 min after `TEN`."""
    start = TEN + 12 * HOUR + 55 * MINUTE
    who = {"customer_id": "mia", "session_id": "night"}
    return Case(
        name="4 midnight",
        stores={"acme": Store(zone="Europe/Madrid")},
        events=[
            event("session", "activity", start, **who),
            event("session", "activity", start + 15 * MINUTE, **who),
            event(
                "order",
                "captured",
                start + 10 * MINUTE,
                **who,
                order_id="o4",
                currency="EUR",
                lines=[{"product_id": "p1", "quantity": 1, "unit_price": 20}],
                total=20,
            ),
        ],
        expected={
            "sessions": {
                ("acme", "c:mia", "s:night"): {
                    "started_at": start,
                    "ended_at": start + 15 * MINUTE,
                    "store_date": NEW_YEAR,
                    "orders": 1,
                }
            },
            "orders": {
                ("acme", "o4"): {"session_key": "s:night", "store_date": NEW_YEAR + 1, "credit": ["none"]}
            },
        },
        money={("EUR", NEW_YEAR + 1): {"captured": 2_000, "unattributed": 2_000}},
    )


def users() -> Case:
    """Golden 5: one person on three days is three sessions of one person (daily users 1, 1, 1; range users 1)."""
    return Case(
        name="5 users",
        events=[event("session", "activity", TEN + day * DAY, customer_id="leo") for day in range(3)],
        expected={
            "sessions": {
                ("acme", "c:leo", f"g:web:{TEN + day * DAY}"): {"store_date": NEW_YEAR + day, "active": 1}
                for day in range(3)
            }
        },
    )
