"""The wire format as JSON Schema (2020-12), one file a topic, rendered from the structs that decode it.

What a schema cannot say stands in its description: JSON Schema counts `2.0` as an integer, the pipeline does not.
"""

from typing import Any, Final

import msgspec

from schemas.events.fields import DEFINITION_KINDS
from schemas.events.types import WIRE_TYPES

DIRECTORY: Final = "docs/schemas"
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_NOTE: Final = (
    "One record's value, a JSON object in UTF-8 of at most 256 KiB. Unknown members are ignored; null in an optional "
    "member is the same as leaving it out. Stricter than this schema: an integer is a JSON number without fraction "
    'or exponent (2.0, 2e0 and "2" are refused although JSON Schema takes 2.0 for an integer); instants, currency '
    "codes, the decimals of amounts and sums over several members are checked by the pipeline."
)
_WITHOUT_PERSON: Final = frozenset({"OrderCanceled", "OrderRefunded"})
_BOTH_IDS: Final = frozenset({"PersonIdentified"})
_NOT_EVENTS: Final = frozenset({"Context", "OrderLine", "RefundLine", "ShownProduct", "Definition"})


def rendered_files() -> dict[str, str]:
    """Content of every schema file by its path in the repository."""
    return {
        f"{DIRECTORY}/{topic}.json": msgspec.json.format(msgspec.json.encode(schema), indent=2).decode()
        + "\n"
        for topic, schema in render().items()
    }


def render() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each topic's records, by topic name without prefix."""
    return {topic: _schema(topic, wire_type) for topic, wire_type in WIRE_TYPES.items()}


def _schema(topic: str, wire_type: Any) -> dict[str, Any]:
    (body,), components = msgspec.json.schema_components([wire_type], ref_template="#/$defs/{name}")
    for name, component in components.items():
        # Further sentences tell what stands in the decoded struct, which is not what travels.
        component["description"] = component["description"].split(". ")[0].split(".\n")[0].rstrip(".") + "."
        _allow_nulls(component)
        if name in _BOTH_IDS:
            component["allOf"] = [_present("customer_id"), _present("anonymous_id")]
        elif name not in _NOT_EVENTS | _WITHOUT_PERSON:
            component["anyOf"] = [_present("customer_id"), _present("anonymous_id")]
    if "Definition" in components:
        components["Definition"]["anyOf"] = [
            {"properties": {"kind": {"enum": sorted({"goal", "product"} & set(DEFINITION_KINDS))}}},
            _present("status"),
        ]
    return {
        "$schema": _DIALECT,
        "$id": f"urn:shopmeter:events:1:{topic}",
        "title": f"Records of the topic {topic}",
        "description": _NOTE,
        **body,
        "$defs": dict(sorted(components.items())),
    }


def _present(name: str) -> dict[str, Any]:
    """There and not null: null counts as missing."""
    return {"required": [name], "properties": {name: {"type": "string"}}}


def _allow_nulls(component: dict[str, Any]) -> None:
    required = component.get("required", ())
    for name, member in component.get("properties", {}).items():
        if name in required or name == "type":
            continue
        if member.get("default", "") is None:
            del member["default"]
        if {"type": "null"} in member.get("anyOf", ()):
            continue
        notes = {key: member.pop(key) for key in ("description", "default") if key in member}
        alternatives = member.pop("anyOf", None) or [dict(member)]
        member.clear()
        member.update(notes, anyOf=[*alternatives, {"type": "null"}])
