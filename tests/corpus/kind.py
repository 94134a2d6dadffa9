"""A kind of input: bytes with gaps for what is new in every run, and the verdict it has to get."""

from collections.abc import Mapping
from typing import Final, NamedTuple

NOW: Final = "@NOW@"
"""The present, epoch ms, in a value."""
ID: Final = "@ID@"
WHO: Final = "@WHO@"
DROP: Final = ""
"""In place of a token: the member is left out."""

ACCEPTED: Final = "accepted"
DEAD: Final = "dead_letter"
TEST: Final = "test_traffic"


class Kind(NamedTuple):
    """`value` with gaps; `bucket` where it lands when it comes in time, is new, and has its right key."""

    name: str
    topic: str
    value: bytes | None
    bucket: str
    reason: str = ""
    field: str = ""

    def bytes_of(self, *, now_ms: int, event_id: str, who: str) -> bytes | None:
        """The value with its gaps filled."""
        if self.value is None:
            return None
        filled = {NOW: str(now_ms), ID: event_id, WHO: who}
        value = self.value
        for gap, text in filled.items():
            value = value.replace(gap.encode(), text.encode())
        return value


def dead(name: str, topic: str, value: bytes | None, reason: str, field: str = "") -> Kind:
    """A kind that becomes a dead letter."""
    return Kind(name, topic, value, DEAD, reason, field)


def fine(name: str, topic: str, value: bytes, bucket: str = ACCEPTED) -> Kind:
    """A kind that looks bad and is not."""
    return Kind(name, topic, value, bucket)


_ENVELOPE: Final = {
    "event_id": f'"{ID}"',
    "store_id": '"acme"',
    "occurred_at": NOW,
    "anonymous_id": f'"{WHO}"',
}
LINE: Final = {"product_id": '"p1"', "quantity": "2", "unit_price": "5.00"}
REFUNDED: Final = {"product_id": '"p1"', "quantity": "1", "amount": "1.00"}
_EXECUTION: Final = {"journey_id": '"j1"', "execution_id": f'"x-{ID}"'}

TYPES: Final[Mapping[tuple[str, str], Mapping[str, str]]] = {
    ("session", "started"): {},
    ("session", "ended"): {},
    ("session", "activity"): {},
    ("session", "message"): {"direction": '"in"'},
    ("session", "support_joined"): {},
    ("session", "experience_served"): {"experience_id": '"e1"'},
    ("session", "goal_reached"): {"goal_id": '"g1"'},
    ("session", "identified"): {"customer_id": f'"c-{WHO}"'},
    ("impression", "shown"): {"widget_id": '"w1"', "products": '[{"product_id":"p1"}]'},
    ("click", "clicked"): {"product_id": '"p1"'},
    ("click", "detail_viewed"): {"product_id": '"p1"'},
    ("cart", "added"): {"product_id": '"p1"', "quantity": "1"},
    ("cart", "removed"): {"product_id": '"p1"', "quantity": "1"},
    ("cart", "emptied"): {},
    ("order", "captured"): {
        "order_id": f'"o-{ID}"',
        "currency": '"EUR"',
        "lines": "[" + "{" + ",".join(f'"{k}":{v}' for k, v in LINE.items()) + "}]",
        "total": "10.00",
    },
    ("order", "canceled"): {"order_id": f'"o-{ID}"'},
    ("order", "refunded"): {"order_id": f'"o-{ID}"', "refund_id": '"r1"', "amount": "1.00"},
    ("journey-node", "started"): _EXECUTION,
    ("journey-node", "node_entered"): {**_EXECUTION, "node_id": '"n1"', "node_type": '"wait"'},
    ("journey-node", "notification_sent"): {
        **_EXECUTION,
        "communication_id": f'"m-{ID}"',
        "notification_channel": '"email"',
    },
    ("journey-node", "goal_reached"): _EXECUTION,
}
"""The least that each type needs, as JSON tokens."""


def text(topic: str, kind: str, /, **tokens: str) -> str:
    """An event of this type with these members as JSON tokens; DROP leaves one out."""
    members = {"type": f'"{kind}"', **_ENVELOPE, **TYPES[topic, kind], **tokens}
    return "{" + ",".join(f'"{name}":{token}' for name, token in members.items() if token != DROP) + "}"


def body(topic: str, kind: str, /, **tokens: str) -> bytes:
    """The same as bytes."""
    return text(topic, kind, **tokens).encode()


def one_line(**tokens: str) -> str:
    """The `lines` of a capture: one line with these members."""
    return _list({**LINE, **tokens})


def one_refund(**tokens: str) -> str:
    """The `lines` of a refund: one line with these members."""
    return _list({**REFUNDED, **tokens})


def _list(members: Mapping[str, str]) -> str:
    return "[{" + ",".join(f'"{name}":{token}' for name, token in members.items() if token != DROP) + "}]"
