"""Every field of every type: left out, null, of another type, out of its bounds."""

from collections.abc import Iterator, Mapping
from typing import Final

from tests.corpus.kind import DROP, Kind, body, dead, fine, one_line, one_refund

TOO_LONG: Final = '"' + "x" * 129 + '"'
LONGEST: Final = '"' + "é" * 128 + '"'

# What a field of this shape may not hold: name -> (token, reason).
SHAPES: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    "id": {
        "a number": ("7", "wrong_type"),
        "empty": ('""', "invalid_value"),
        "too long": (TOO_LONG, "invalid_value"),
    },
    "event_id": {
        "a list": ('["e"]', "wrong_type"),
        "empty": ('""', "invalid_value"),
        "300 characters": ('"' + "x" * 300 + '"', "invalid_value"),
    },
    "channel": {
        "a boolean": ("true", "wrong_type"),
        "33 characters": ('"' + "x" * 33 + '"', "invalid_value"),
    },
    "flag": {"text": ('"true"', "wrong_type"), "a number": ("1", "wrong_type")},
    "quantity": {
        "zero": ("0", "invalid_value"),
        "negative": ("-1", "invalid_value"),
        "too many": ("1000001", "invalid_value"),
        "a billion": ("1000000000", "invalid_value"),
        "2^53+1": ("9007199254740993", "invalid_value"),
        "2^63": ("9223372036854775808", "invalid_value"),
        "30 digits": ("1" * 30, "invalid_value"),
        "1.0": ("1.0", "wrong_type"),
        "1e0": ("1e0", "wrong_type"),
        "1e999": ("1e999", "wrong_type"),
        "text": ('"1"', "wrong_type"),
        "true": ("true", "wrong_type"),
        "-0.0": ("-0.0", "wrong_type"),
    },
    "position": {
        "negative": ("-1", "invalid_value"),
        "too large": ("1000001", "invalid_value"),
        "text": ('"1"', "wrong_type"),
    },
    "order_version": {
        "zero": ("0", "invalid_value"),
        "2^31": ("2147483648", "invalid_value"),
        "text": ('"1"', "wrong_type"),
    },
    "money": {
        "negative": ("-0.01", "invalid_value"),
        "three decimals": ("1.001", "amount_precision"),
        "1e999": ("1e999", "invalid_value"),
        "10^15 minor units": ("10000000000000", "invalid_value"),
        "text of words": ('"ten"', "invalid_value"),
        "text with an exponent": ('"1e2"', "invalid_value"),
        "text with a comma": ('"1,50"', "invalid_value"),
        "text with a space": ('" 1"', "invalid_value"),
        "empty text": ('""', "invalid_value"),
        "a boolean": ("false", "wrong_type"),
        "a list": ("[1]", "wrong_type"),
    },
    "amount": {  # of a refund, whose currency is its order's
        "negative": ("-1", "invalid_value"),
        "text of words": ('"one"', "invalid_value"),
        "an object": ("{}", "wrong_type"),
        "five decimals": ("0.00001", "amount_precision"),
    },
    "currency": {
        "lower case": ('"eur"', "unknown_currency"),
        "unheard of": ('"XQX"', "unknown_currency"),
        "gold": ('"XAU"', "unknown_currency"),
        "empty": ('""', "unknown_currency"),
        "a number": ("978", "wrong_type"),
    },
    "direction": {"sideways": ('"sideways"', "invalid_value"), "a number": ("1", "wrong_type")},
    "node_type": {"unheard of": ('"teleport"', "invalid_value"), "another case": ('"End"', "invalid_value")},
    "version": {
        "fraction": ("1.5", "wrong_type"),
        "empty": ('""', "invalid_value"),
        "129 digits": ("1" * 129, "invalid_value"),
    },
    "list": {
        "an object": ("{}", "wrong_type"),
        "text": ('"p1"', "wrong_type"),
        "empty": ("[]", "invalid_value"),
    },
}

_EXECUTION: Final = {"journey_id!": "id", "execution_id!": "id"}
_GOAL: Final = {"value": "money", "currency": "currency"}
_CART: Final = {"product_id!": "id", "sku": "id", "quantity!": "quantity", "cart_id": "id"}

# `!`: must be there.
FIELDS: Final[Mapping[tuple[str, str], Mapping[str, str]]] = {
    ("session", "activity"): {"name": "id"},
    ("session", "message"): {"direction!": "direction"},
    ("session", "support_joined"): {"agent_id": "id"},
    ("session", "experience_served"): {"experience_id!": "id", "variant_id": "id", "test_id": "id"},
    ("session", "goal_reached"): {"goal_id!": "id", "experience_id": "id", **_GOAL},
    ("impression", "shown"): {"widget_id!": "id", "strategy": "id", "placement": "id", "products!": "list"},
    ("click", "clicked"): {"product_id!": "id", "widget_id": "id"},
    ("click", "detail_viewed"): {"product_id!": "id", "widget_id": "id"},
    ("cart", "added"): _CART,
    ("cart", "removed"): {"product_id!": "id", "quantity!": "position"},
    ("cart", "emptied"): {"cart_id": "id"},
    ("order", "captured"): {
        "order_id!": "id",
        "order_version": "order_version",
        "currency!": "currency",
        "lines!": "list",
        "shipping": "money",
        "tax": "amount",
        "total!": "money",
    },
    ("order", "canceled"): {"order_id!": "id"},
    ("order", "refunded"): {"order_id!": "id", "refund_id!": "id", "amount!": "amount"},
    ("journey-node", "started"): {**_EXECUTION, "journey_version": "version"},
    ("journey-node", "node_entered"): {"node_id!": "id", "node_type!": "node_type"},
    ("journey-node", "notification_sent"): {
        "communication_id!": "id",
        "notification_channel!": "id",
        "node_id": "id",
    },
    ("journey-node", "goal_reached"): {"goal_id": "id", **_GOAL},
    ("session", "started"): {
        "event_id!": "event_id",
        "customer_id": "id",
        "anonymous_id": "id",
        "session_id": "id",
        "channel": "channel",
        "is_test": "flag",
    },
}
_LINES: Final = {
    "line_id": "id",
    "product_id!": "id",
    "sku": "id",
    "quantity!": "quantity",
    "unit_price!": "money",
    "discount": "money",
}
_REFUND_LINES: Final = {"product_id!": "id", "quantity!": "position", "amount!": "amount"}


def kinds() -> Iterator[Kind]:
    """One kind for each thing that each field may not be."""
    for (topic, kind), fields in FIELDS.items():
        for field, shape in fields.items():
            name, required = field.rstrip("!"), field.endswith("!")
            for what, (token, reason) in _bad(shape, required).items():
                yield dead(
                    f"{topic} {kind}: {name} {what}", topic, body(topic, kind, **{name: token}), reason, name
                )
            if not required and name != "anonymous_id":
                yield fine(f"{topic} {kind}: {name} null", topic, body(topic, kind, **{name: "null"}))
            if shape == "id":
                value = body(topic, kind, **{name: LONGEST})
                yield fine(f"{topic} {kind}: {name} as long as may be", topic, value)
    for field, shape in _LINES.items():
        name = field.rstrip("!")
        for what, (token, reason) in _bad(shape, field.endswith("!")).items():
            lines = one_line(**{name: token})
            path = f"lines[0].{name}"
            yield dead(
                f"captured: {path} {what}", "order", body("order", "captured", lines=lines), reason, path
            )
    for field, shape in _REFUND_LINES.items():
        name = field.rstrip("!")
        for what, (token, reason) in _bad(shape, field.endswith("!")).items():
            lines = one_refund(**{name: token})
            path = f"lines[0].{name}"
            yield dead(
                f"refunded: {path} {what}", "order", body("order", "refunded", lines=lines), reason, path
            )
    for what, (token, reason) in _bad("id", True).items():
        products = '[{"product_id":"p0"},{' + (f'"product_id":{token}' if token else '"position":1') + "}]"
        value = body("impression", "shown", products=products)
        yield dead(
            f"shown: second product's id {what}", "impression", value, reason, "products[1].product_id"
        )
    for what, (token, reason) in SHAPES["position"].items():
        value = body("impression", "shown", products='[{"product_id":"p","position":' + token + "}]")
        yield dead(f"shown: position {what}", "impression", value, reason, "products[0].position")


def _bad(shape: str, required: bool) -> Mapping[str, tuple[str, str]]:
    bad = dict(SHAPES[shape])
    if required and shape == "position":  # quantity of a removal or a refund: at least one
        bad["zero"] = ("0", "invalid_value")
    if required:
        bad["left out"] = (DROP, "missing_field")
        bad["null"] = ("null", "missing_field")
    return bad
