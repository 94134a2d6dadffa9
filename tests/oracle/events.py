"""A raw record read as an event of the contract, checked in the order that H02 gives."""

import re
from collections.abc import Mapping
from typing import Any, Final

from schemas.stores import Store
from tests.oracle.currencies import EXPONENT
from tests.oracle.model import Capture, Event, Line, RefundLine, Shown
from tests.oracle.scalars import Fields, Refused, minor_units, parse_object

KNOWN_VERSION: Final = 1
CLOCK_TOLERANCE_MS: Final = 60_000  # H04
FUTURE_MS: Final = 600_000  # H05
E4: Final = 4  # decimals of an amount whose currency is not known yet (H53)
E4_DIGITS: Final = 19

TYPES: Final = {
    "session": {
        *("started", "ended", "activity", "message", "support_joined"),
        *("experience_served", "goal_reached", "identified"),
    },
    "impression": {"shown"},
    "click": {"clicked", "detail_viewed"},
    "cart": {"added", "removed", "emptied"},
    "order": {"captured", "canceled", "refunded"},
    "journey-node": {"started", "node_entered", "notification_sent", "goal_reached"},
}


def read_event(
    topic: str, value: bytes | None, timestamp_ms: int | None, stores: Mapping[str, Store]
) -> Event:
    """The record's event. Raises Refused for a dead letter; `in_future` is not judged here."""
    fields = Fields(parse_object(value))
    version = fields.optional_integer("schema_version", 1, 10**29)
    if version is not None and version > KNOWN_VERSION:
        raise Refused("unknown_version", "schema_version")
    store_id = fields.text("store_id", most=64)
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", store_id):
        raise Refused("invalid_value", "store_id")
    if store_id not in stores:
        raise Refused("unknown_store", "store_id")
    kind = fields.raw("type", required=True)
    if not isinstance(kind, str):
        raise Refused("wrong_type", "type")
    if kind not in TYPES[topic]:
        raise Refused("unknown_type", "type")
    envelope = _envelope(fields)
    body = _body(topic, kind, fields, stores[store_id])
    _check_person(topic, kind, envelope)
    _check_body(body)
    occurred_at, sent_at = envelope.pop("occurred_at"), envelope.pop("sent_at")
    at = occurred_at
    if timestamp_ms is not None and sent_at is not None and abs(timestamp_ms - sent_at) > CLOCK_TOLERANCE_MS:
        at = occurred_at + (timestamp_ms - sent_at)
    return Event(topic=topic, type=kind, store_id=store_id, at=at, record_ms=timestamp_ms, **envelope, **body)


def is_in_future(event: Event) -> bool:
    """H05: more than ten minutes ahead of the record's timestamp; never without one."""
    return event.record_ms is not None and event.at > event.record_ms + FUTURE_MS


def _envelope(fields: Fields) -> dict[str, Any]:
    envelope: dict[str, Any] = {
        "event_id": fields.text("event_id", most=64),
        "occurred_at": fields.time("occurred_at"),
        "sent_at": fields.optional_time("sent_at"),
        "customer_id": fields.optional_text("customer_id"),
        "anonymous_id": fields.optional_text("anonymous_id"),
        "session_id": fields.optional_text("session_id"),
        "channel": fields.optional_text("channel", most=32, least=0),
        "is_test": fields.boolean("is_test"),
    }
    if envelope["channel"] is None:
        envelope["channel"] = "web"
    context = fields.raw("context", required=False)
    if context is not None and not isinstance(context, dict):
        raise Refused("wrong_type", "context")
    known: dict[str, str | None] = {}
    for name in ("device", "country", "locale", "page"):
        member = (context or {}).get(name)
        if member is not None and not isinstance(member, str):
            raise Refused("wrong_type", f"context.{name}")
        known[name] = member
    return {**envelope, "device": known["device"], "country": known["country"]}


def _body(topic: str, kind: str, fields: Fields, store: Store) -> dict[str, Any]:
    match topic, kind:
        case "session", "activity":
            fields.optional_text("name")
        case "session", "message":
            return {"direction": fields.one_of("direction", "in", "out")}
        case "session", "support_joined":
            fields.optional_text("agent_id")
        case "session", "experience_served":
            experience_id = fields.text("experience_id")
            return {
                "experience_id": experience_id,
                "variant_id": fields.optional_text("variant_id") or "",
                "test_id": fields.optional_text("test_id") or "",
            }
        case "session", "goal_reached":
            return {
                "goal_id": fields.text("goal_id"),
                "experience_id": fields.optional_text("experience_id") or "",
                **_goal_value(fields, store),
            }
        case "impression", "shown":
            return {
                "widget_id": fields.text("widget_id"),
                "strategy": fields.optional_text("strategy"),
                "placement": fields.optional_text("placement"),
                "products": tuple(
                    Shown(item.text("product_id"), item.optional_integer("position", 0, 1_000_000))
                    for item in fields.objects("products", 1, 200) or ()
                ),
            }
        case "click", _:
            return {"product_id": fields.text("product_id"), "widget_id": fields.optional_text("widget_id")}
        case "cart", "emptied":
            fields.optional_text("cart_id")
        case "cart", _:
            product_id = fields.text("product_id")
            fields.optional_text("sku")
            quantity = fields.integer("quantity", 1, 1_000_000)
            fields.optional_text("cart_id")
            return {"product_id": product_id, "quantity": quantity}
        case "order", "captured":
            return {"order_id": fields.text("order_id"), "capture": _capture(fields)}
        case "order", "canceled":
            return {"order_id": fields.text("order_id")}
        case "order", "refunded":
            return _refund(fields)
        case "journey-node", _:
            return _journey(kind, fields, store)
    return {}


def _goal_value(fields: Fields, store: Store) -> dict[str, Any]:
    digits = fields.amount("value", required=False)
    currency = fields.optional_text("currency")
    if currency is not None and currency not in EXPONENT:
        raise Refused("unknown_currency", "currency")
    unit = currency or store.currency
    value = None if digits is None else minor_units(digits, EXPONENT[unit], fields.path("value"))
    return {"value": value, "value_currency": unit}


def _capture(fields: Fields) -> Capture:
    version = fields.optional_integer("order_version", 1, 2**31 - 1)
    raw_currency = fields.raw("currency", required=True)
    if not isinstance(raw_currency, str):
        raise Refused("wrong_type", "currency")
    if raw_currency not in EXPONENT:
        raise Refused("unknown_currency", "currency")
    exponent = EXPONENT[raw_currency]
    lines = tuple(
        Line(
            line_id=line.optional_text("line_id") or "",
            product_id=line.text("product_id"),
            sku=line.optional_text("sku") or "",
            quantity=line.integer("quantity", 1, 1_000_000),
            unit_price=line.money("unit_price", exponent),
            discount=line.optional_money("discount", exponent),
        )
        for line in fields.objects("lines", 1, 1000) or ()
    )
    return Capture(
        order_version=1 if version is None else version,
        currency=raw_currency,
        lines=lines,
        shipping=fields.optional_money("shipping", exponent),
        tax=fields.optional_money("tax", exponent),
        total=fields.money("total", exponent),
    )


def _refund(fields: Fields) -> dict[str, Any]:
    order_id, refund_id = fields.text("order_id"), fields.text("refund_id")
    amount_e4 = _e4(fields, "amount")
    lines = fields.objects("lines", 0, None, required=False)
    return {
        "order_id": order_id,
        "refund_id": refund_id,
        "amount_e4": amount_e4,
        "refund_lines": None
        if lines is None
        else tuple(
            RefundLine(
                line_id=line.optional_text("line_id"),
                product_id=line.text("product_id"),
                quantity=line.integer("quantity", 1, 1_000_000),
                amount_e4=_e4(line, "amount"),
            )
            for line in lines
        ),
    }


def _e4(fields: Fields, name: str) -> int:
    digits = fields.amount(name, required=True)
    assert digits is not None
    return minor_units(digits, E4, fields.path(name), most_digits=E4_DIGITS)


def _journey(kind: str, fields: Fields, store: Store) -> dict[str, Any]:
    journey = {"journey_id": fields.text("journey_id"), "execution_id": fields.text("execution_id")}
    match kind:
        case "started":
            if isinstance(fields.raw("journey_version", required=False), str):
                return {**journey, "journey_version": fields.text("journey_version")}
            number = fields.optional_integer("journey_version", -(10**29), 10**29)  # H98: any integer
            return {**journey, "journey_version": "" if number is None else str(number)}
        case "node_entered":
            fields.text("node_id")
            nodes = ("end", "cancel", "action", "condition", "wait", "notification")
            return {**journey, "node_type": fields.one_of("node_type", *nodes)}
        case "notification_sent":
            sent = {
                "communication_id": fields.text("communication_id"),
                "notification_channel": fields.text("notification_channel"),
            }
            fields.optional_text("node_id")
            return {**journey, **sent}
        case _:
            goal_id = fields.optional_text("goal_id") or ""
            return {**journey, "goal_id": goal_id, **_goal_value(fields, store)}


def _check_person(topic: str, kind: str, envelope: Mapping[str, Any]) -> None:
    if topic == "order" and kind in ("canceled", "refunded"):
        return
    missing = [name for name in ("customer_id", "anonymous_id") if envelope[name] is None]
    if len(missing) == 2 or (missing and kind == "identified"):
        raise Refused("missing_field", missing[0])


def _check_body(body: Mapping[str, Any]) -> None:
    """Rules over several fields: H13, H15, H57."""
    capture: Capture | None = body.get("capture")
    if capture:
        for index, line in enumerate(capture.lines):
            value = line.quantity * line.unit_price
            if value >= 10**15:
                raise Refused("invalid_value", f"lines[{index}].unit_price")
            if line.discount > value:
                raise Refused("invalid_value", f"lines[{index}].discount")
        if capture.total < capture.shipping + capture.tax:
            raise Refused("invalid_value", "total")
    refund_lines: tuple[RefundLine, ...] | None = body.get("refund_lines")
    if refund_lines and sum(line.amount_e4 for line in refund_lines) > body["amount_e4"]:
        raise Refused("invalid_value", "amount")
