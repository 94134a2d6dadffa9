"""The contract as tables: which fields an event has, in the order in which they are judged.

Envelope fields stand in the order of the envelope table, each type's fields in the order of its row, so that of
several things wrong with a record the same one is named every time.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from schemas.events.checks import (
    Check,
    Rule,
    Unit,
    amount_units,
    boolean,
    currency,
    instant,
    integer,
    may,
    members,
    money,
    must,
    objects,
    one_of,
    text,
    version_text,
)
from schemas.events.fields import (
    DEFINITION_KINDS,
    DEFINITION_STATUSES,
    MAX_LINES,
    MAX_ORDER_VERSION,
    MAX_POSITION,
    MAX_PRODUCTS,
    MAX_QUANTITY,
    NODE_TYPES,
    SCHEMA_VERSION,
    STORE_ID_PATTERN,
)
from schemas.money import MINOR_LIMIT
from schemas.reasons import Reason, Rejected

_id: Final[Check] = text(1, 128)
_any_text: Final[Check] = text(0, None)
_quantity: Final[Check] = integer(1, MAX_QUANTITY)

VERSION_RULE: Final = may("schema_version", integer(1, SCHEMA_VERSION, above=Reason.UNKNOWN_VERSION))
STORE_RULE: Final = must("store_id", text(1, 64, STORE_ID_PATTERN))

ENVELOPE: Final = (
    must("event_id", text(1, 64)),
    must("occurred_at", instant),
    may("sent_at", instant),
    may("customer_id", _id),
    may("anonymous_id", _id),
    may("session_id", _id),
    may("channel", text(0, 32)),
    may("is_test", boolean),
    may("context", members(*(may(name, _any_text) for name in ("device", "country", "locale", "page")))),
)

_CLICK: Final = (must("product_id", _id), may("widget_id", _id))
_CART: Final = (must("product_id", _id), may("sku", _id), must("quantity", _quantity), may("cart_id", _id))
_EXECUTION: Final = (must("journey_id", _id), must("execution_id", _id))
_VALUE: Final = (may("value", money), may("currency", currency))
_LINE: Final = (
    may("line_id", _id),
    must("product_id", _id),
    may("sku", _id),
    must("quantity", _quantity),
    must("unit_price", money),
    may("discount", money),
)
_REFUND_LINE: Final = (
    may("line_id", _id),
    must("product_id", _id),
    must("quantity", _quantity),
    must("amount", money),
)

TYPES: Final[Mapping[str, Mapping[str, tuple[Rule, ...]]]] = {
    "session": {
        "started": (),
        "ended": (),
        "activity": (may("name", _id),),
        "message": (must("direction", one_of("in", "out")),),
        "support_joined": (may("agent_id", _id),),
        "experience_served": (must("experience_id", _id), may("variant_id", _id), may("test_id", _id)),
        "goal_reached": (must("goal_id", _id), may("experience_id", _id), *_VALUE),
        "identified": (),
    },
    "impression": {
        "shown": (
            must("widget_id", _id),
            may("strategy", _id),
            may("placement", _id),
            must(
                "products",
                objects(
                    (must("product_id", _id), may("position", integer(0, MAX_POSITION))), 1, MAX_PRODUCTS
                ),
            ),
        ),
    },
    "click": {"clicked": _CLICK, "detail_viewed": _CLICK},
    "cart": {"added": _CART, "removed": _CART, "emptied": (may("cart_id", _id),)},
    "order": {
        "captured": (
            must("order_id", _id),
            may("order_version", integer(1, MAX_ORDER_VERSION)),
            must("currency", currency),
            must("lines", objects(_LINE, 1, MAX_LINES)),
            may("shipping", money),
            may("tax", money),
            must("total", money),
        ),
        "canceled": (must("order_id", _id),),
        "refunded": (
            must("order_id", _id),
            must("refund_id", _id),
            must("amount", money),
            may("lines", objects(_REFUND_LINE, 0, None)),
        ),
    },
    "journey-node": {
        "started": (*_EXECUTION, may("journey_version", version_text)),
        "node_entered": (*_EXECUTION, must("node_id", _id), must("node_type", one_of(*NODE_TYPES))),
        "notification_sent": (
            *_EXECUTION,
            must("communication_id", _id),
            must("notification_channel", _id),
            may("node_id", _id),
        ),
        "goal_reached": (*_EXECUTION, may("goal_id", _id), *_VALUE),
    },
}
"""Fields of each type beyond the envelope, by topic and type."""


def definition_rules(kind: object) -> tuple[Rule, ...]:
    """Fields of a definition after `store_id`; only a goal or a product may have no status."""
    status = may if kind in ("goal", "product") else must
    return (
        must("kind", one_of(*DEFINITION_KINDS)),
        must("id", _id),
        status("status", one_of(*DEFINITION_STATUSES)),
        may("name", _id),
        must("effective_at", instant),
    )


def check_together(topic: str, kind: str, tree: dict[str, Any], unit: Unit) -> None:
    """Rules over several fields of a record whose fields are right one by one: person first, then sums."""
    if kind == "identified":
        for name in ("customer_id", "anonymous_id"):
            if tree.get(name) is None:
                raise Rejected(Reason.MISSING_FIELD, name)
    elif (topic, kind) not in _PERSON_OPTIONAL and not _names_a_person(tree):
        raise Rejected(Reason.MISSING_FIELD, "customer_id")
    sums = _SUMS.get((topic, kind))
    if sums is not None:
        sums(tree, unit)


def _names_a_person(tree: dict[str, Any]) -> bool:
    return tree.get("customer_id") is not None or tree.get("anonymous_id") is not None


def _check_capture(tree: dict[str, Any], unit: Unit) -> None:
    for index, line in enumerate(tree["lines"]):
        gross = int(line["quantity"].text) * amount_units(line["unit_price"], "", unit)
        if gross >= MINOR_LIMIT:
            raise Rejected(Reason.INVALID_VALUE, f"lines[{index}].unit_price")
        if _optional_amount(line, "discount", unit) > gross:
            raise Rejected(Reason.INVALID_VALUE, f"lines[{index}].discount")
    extras = _optional_amount(tree, "shipping", unit) + _optional_amount(tree, "tax", unit)
    if amount_units(tree["total"], "", unit) < extras:
        raise Rejected(Reason.INVALID_VALUE, "total")


def _check_refund(tree: dict[str, Any], unit: Unit) -> None:
    itemised = sum(amount_units(line["amount"], "", unit) for line in tree.get("lines") or ())
    if itemised > amount_units(tree["amount"], "", unit):
        raise Rejected(Reason.INVALID_VALUE, "amount")


def _optional_amount(tree: dict[str, Any], name: str, unit: Unit) -> int:
    value = tree.get(name)
    return 0 if value is None else amount_units(value, "", unit)


_PERSON_OPTIONAL: Final = frozenset({("order", "canceled"), ("order", "refunded")})
_SUMS: Final[Mapping[tuple[str, str], Callable[[dict[str, Any], Unit], None]]] = {
    ("order", "captured"): _check_capture,
    ("order", "refunded"): _check_refund,
}
