"""Records to decode: one valid body a type, and helpers that break them one member at a time."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from schemas.events.decode import decode
from schemas.events.types import Event
from schemas.reasons import Rejected
from schemas.stores import Store

EXAMPLES: Final = Path(__file__).parents[2] / "schemas" / "examples"
STORES: Final[Mapping[str, Store]] = {"acme": Store(currency="EUR"), "tokyo": Store(currency="JPY")}
DROP: Final = object()

VALID: Final[dict[tuple[str, str], dict[str, Any]]] = {
    (path.parent.name, path.stem): json.loads(path.read_text())
    for path in sorted(EXAMPLES.glob("*/*.json"))
    if not path.name.endswith(".invalid.json")
}
"""The valid example of each type, by topic and type."""


def changed(topic: str, kind: str, /, **members: Any) -> dict[str, Any]:
    """The valid example with these members set, or left out if DROP."""
    body = {**VALID[topic, kind], **members}
    return {name: value for name, value in body.items() if value is not DROP}


def decoded(topic: str, kind: str, /, **members: Any) -> Any:
    """The changed example, decoded."""
    return decode(topic, json.dumps(changed(topic, kind, **members)).encode(), STORES)


def decoded_with(topic: str, kind: str, name: str, token: str) -> Any:
    """The example with one member written as this JSON text, digit by digit."""
    return decode(topic, with_token(topic, kind, name, token), STORES)


def with_token(topic: str, kind: str, name: str, token: str) -> bytes:
    """Bytes of the example with one member written as this JSON text."""
    text = json.dumps(changed(topic, kind, **{name: "@@"}))
    return text.replace('"@@"', token).encode()


def refused(topic: str, kind: str, /, **members: Any) -> tuple[str, str]:
    """Reason and field for which the changed example is refused."""
    return refused_bytes(topic, json.dumps(changed(topic, kind, **members)).encode())


def refused_with(topic: str, kind: str, name: str, token: str) -> tuple[str, str]:
    """Reason and field for which the example with this JSON text is refused."""
    return refused_bytes(topic, with_token(topic, kind, name, token))


def refused_bytes(topic: str, value: bytes | None) -> tuple[str, str]:
    """Reason and field for which these bytes are refused."""
    with pytest.raises(Rejected) as caught:
        decode(topic, value, STORES)
    return caught.value.reason.value, caught.value.field


def verdict(topic: str, value: bytes | None) -> Event | tuple[str, str]:
    """The event, or reason and field; whatever else is raised comes through."""
    try:
        return decode(topic, value, STORES)
    except Rejected as rejected:
        return rejected.reason.value, rejected.field
