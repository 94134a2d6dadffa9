"""Rows made by hand: every field has a plain default, a test names only what its story is about."""

from typing import Any

import msgspec

from schemas.rows import (
    CounterRow,
    DefinitionRow,
    ExposureRow,
    JourneyRow,
    NotificationRow,
    OrderRow,
    SessionRow,
    WatermarkRow,
)

JANUARY = 20_454  # 2026-01-01, days since 1970
FEBRUARY = 20_485
DAY_MS = 86_400_000
JANUARY_MS = JANUARY * DAY_MS

# The arrays of a session: what was served in it, and the goals reached.
PERSONAL = tuple(
    name
    for name in SessionRow.__struct_fields__
    if name.startswith(("experience_", "variant_", "test_", "goal_"))
)

encode = msgspec.msgpack.Encoder().encode


def at(day: int, hour: int = 10, minute: int = 0) -> int:
    """Epoch ms of an hour on a day of January 2026."""
    return JANUARY_MS + (day - 1) * DAY_MS + hour * 3_600_000 + minute * 60_000


def date(day: int) -> int:
    """A date of January 2026 in days since 1970."""
    return JANUARY + day - 1


def session(person: str = "c:ann", key: str = "s:1", *, day: int = 1, **fields: Any) -> SessionRow:
    """A session on the web that was open for a minute and closed after half an hour."""
    defaults: dict[str, Any] = {
        "store_id": "acme",
        "person": person,
        "session_key": key,
        "born": JANUARY,
        "channel": "web",
        "device": "",
        "country": "",
        "started_at": at(day),
        "ended_at": at(day, 10, 1),
        "closes_at": at(day, 10, 31),
        "store_date": date(day),
        "present": 1,
        "active": 1,
        **{name: [] for name in PERSONAL},
        "version": 1,
    }
    zero = {name: 0 for name in SessionRow.__struct_fields__ if name not in defaults}
    return SessionRow(**{**zero, **defaults, **fields})


def goals(*reached: tuple[str, str, int, int | None]) -> dict[str, Any]:
    """Fields of a session for its goals: (goal, experience it names or empty, day of January, value in cents or None)."""
    return {
        "goals": len(reached),
        "goal_event_id": [f"goal-{number}" for number in range(len(reached))],
        "goal_id": [one[0] for one in reached],
        "goal_experience_id": [one[1] for one in reached],
        "goal_at": [at(one[2]) for one in reached],
        "goal_date": [date(one[2]) for one in reached],
        "goal_valued": [int(one[3] is not None) for one in reached],
        "goal_value": [one[3] or 0 for one in reached],
        "goal_currency": ["EUR" for _ in reached],
        "goal_exponent": [2 for _ in reached],
    }


def served(*experiences: tuple[str, str, str, int]) -> dict[str, Any]:
    """Fields of a session for what was served in it: (experience, variant, test, day of January)."""
    return {
        "experience_id": [one[0] for one in experiences],
        "variant_id": [one[1] for one in experiences],
        "test_id": [one[2] for one in experiences],
        "experience_first_at": [at(one[3]) for one in experiences],
        "experience_last_at": [at(one[3], 11) for one in experiences],
    }


def exposure(person: str = "c:ann", key: str = "s:1", widget: str = "top", **fields: Any) -> ExposureRow:
    """What a session of 1 January saw of one widget."""
    defaults: dict[str, Any] = {
        "store_id": "acme",
        "person": person,
        "session_key": key,
        "widget_id": widget,
        "born": JANUARY,
        "channel": "web",
        "started_at": at(1),
        "store_date": date(1),
        "strategies": ["also-bought"],
        "placements": ["home"],
        "impressions": 1,
        "first_shown_at": at(1),
        "last_shown_at": at(1),
        "shown_dates": [date(1)],
        "shown_channels": ["web"],
        "shown_at": [at(1)],
        "viewed": 0,
        "version": 1,
    }
    return ExposureRow(**{**defaults, **fields})


Line = tuple[str, int, int, str, str]
"""product, quantity, paid (minor units), credit, widget"""


def order(order_id: str, *lines: Line, day: int = 1, extra: int = 0, **fields: Any) -> OrderRow:
    """An order of these lines; `extra` is the shipping in minor units."""
    paid = [line[2] for line in lines]
    defaults: dict[str, Any] = {
        "store_id": "acme",
        "order_id": order_id,
        "born": JANUARY,
        "person": "c:ann",
        "channel": "web",
        "session_key": "s:1",
        "captured_at": at(day, 12),
        "store_date": date(day),
        "currency": "EUR",
        "exponent": 2,
        "order_version": 1,
        "total": sum(paid) + extra,
        "shipping": extra,
        "tax": 0,
        "line_id": [str(number) for number in range(1, len(lines) + 1)],
        "product_id": [line[0] for line in lines],
        "sku": ["" for _ in lines],
        "quantity": [line[1] for line in lines],
        "unit_price": [line[2] // line[1] for line in lines],
        "discount": [0 for _ in lines],
        "paid": paid,
        "credit": [line[3] for line in lines],
        "exposure_only": [0 for _ in lines],
        "touch_kind": [{"direct": "shown", "assisted": "clicked"}.get(line[3], "") for line in lines],
        "touch_at": [0 if line[3] == "none" else at(day, 9) for line in lines],
        "touch_product": [line[0] if line[3] != "none" else "" for line in lines],
        "widget_id": [line[4] for line in lines],
        "strategy": ["also-bought" if line[4] else "" for line in lines],
        "placement": ["home" if line[4] else "" for line in lines],
        "has_interaction": int(any(line[3] != "none" for line in lines)),
        "exposed_session": [],
        "exposed_widget": [],
        "adjustment": [],
        "adjustment_id": [],
        "adjusted_at": [],
        "adjustment_date": [],
        "adjustment_amount": [],
        "adjustment_lines": [],
        "version": 1,
    }
    named = {**defaults, **fields}
    return OrderRow(**{**unreported(len(lines), len(named["adjustment"])), **named})


def unreported(lines: int, adjustments: int) -> dict[str, Any]:
    """Fields of an order of a store that reports in no currency."""
    return {
        "reporting_currency": "",
        "reporting_exponent": 0,
        "reporting_rate": "",
        "reported": 0,
        "reporting_total": 0,
        "reporting_paid": [0] * lines,
        "reporting_adjustment_amount": [0] * adjustments,
        "reporting_adjustment_lines": [[0] * lines for _ in range(adjustments)],
    }


def confirms(session_key: str, widget: str) -> dict[str, Any]:
    """Fields of an order whose direct line confirms what a session saw of a widget."""
    return {"exposed_session": [session_key], "exposed_widget": [widget]}


def adjusted(*adjustments: tuple[str, str, int, int, list[int]]) -> dict[str, Any]:
    """Fields of an order for what was taken back: (kind, refund id, day of January, amount, amount of each line)."""
    return {
        "adjustment": [item[0] for item in adjustments],
        "adjustment_id": [item[1] for item in adjustments],
        "adjusted_at": [at(item[2]) for item in adjustments],
        "adjustment_date": [date(item[2]) for item in adjustments],
        "adjustment_amount": [item[3] for item in adjustments],
        "adjustment_lines": [item[4] for item in adjustments],
    }


def journey(execution_id: str = "x1", partition: int = 0, **fields: Any) -> JourneyRow:
    """What a partition saw of an execution: one node of journey `welcome`, entered on 1 January."""
    defaults: dict[str, Any] = {
        "store_id": "acme",
        "execution_id": execution_id,
        "partition": partition,
        "born": JANUARY,
        "started_at": 0,
        "start_event_id": "",
        "start_date": 0,
        "journey_id": "",
        "journey_version": "",
        "channel": "",
        "first_at": at(1),
        "first_event_id": f"node-{partition}",
        "first_journey_id": "welcome",
        "first_channel": "web",
        "terminal_at": 0,
        "terminal_kind": "",
        "terminal_date": 0,
        "goal_at": 0,
        "last_at": at(1),
        "version": 1,
    }
    return JourneyRow(**{**defaults, **fields})


def notification(
    communication_id: str = "m1", person: str = "c:ann", day: int = 1, **fields: Any
) -> NotificationRow:
    """An e-mail of journey `welcome`."""
    defaults: dict[str, Any] = {
        "store_id": "acme",
        "communication_id": communication_id,
        "person": person,
        "event_id": f"{communication_id}-{person}-{day}",
        "born": fields.get("sent_at", at(day)) // DAY_MS,
        "sent_at": at(day),
        "store_date": date(day),
        "channel": "web",
        "notification_channel": "email",
        "journey_id": "welcome",
        "execution_id": "x1",
        "version": 1,
    }
    return NotificationRow(**{**defaults, **fields})


def definition(
    kind: str, id_: str, effective_at: int, status: str, *, name: str = "", version: int = 1, **fields: Any
) -> DefinitionRow:
    """What a thing is from an instant on."""
    row = DefinitionRow("acme", kind, id_, effective_at, 0, status, name, version)
    return msgspec.structs.replace(row, **fields) if fields else row


def counter(partition: int, measures: dict[str, int], **fields: Any) -> CounterRow:
    """A quarter of an hour of one Kafka partition."""
    defaults: dict[str, Any] = {
        "store_id": "acme",
        "window_seconds": 900,
        "window_start": at(1),
        "channel": "web",
        "partition": partition,
        "born": JANUARY,
        "measures": list(measures),
        "values": list(measures.values()),
        "version": 1,
    }
    return CounterRow(**{**defaults, **fields})


def watermark(partition: int, instant: int, *, idle: int = 0, version: int = 1) -> WatermarkRow:
    """How far a partition is."""
    return WatermarkRow(partition, JANUARY, instant, idle, instant, version)
