"""Every published example does what it says: the valid ones decode, the invalid ones fail for the reason given."""

import json
from typing import Any

import jsonschema
import msgspec
import pytest

from schemas.events.decode import decode, decode_definition
from schemas.events.jsonschema import render
from schemas.events.rules import TYPES
from schemas.reasons import Reason, Rejected
from tests.schemas.records import EXAMPLES, STORES, VALID

INVALID = [
    pytest.param(path.parent.name, case, id=f"{path.parent.name}-{path.name.split('.')[0]}-{index}")
    for path in sorted(EXAMPLES.glob("*/*.invalid.json"))
    for index, case in enumerate(json.loads(path.read_text()))
]


def decode_any(topic: str, value: bytes) -> Any:
    return decode_definition(value, STORES) if topic == "definition" else decode(topic, value, STORES)


def test_every_type_has_one_valid_and_several_invalid_examples() -> None:
    kinds = {(topic, kind) for topic, types in TYPES.items() for kind in types} | {
        ("definition", "definition")
    }
    assert set(VALID) == kinds
    for topic, kind in kinds:
        assert len(json.loads((EXAMPLES / topic / f"{kind}.invalid.json").read_text())) >= 3


@pytest.mark.parametrize(("topic", "kind"), sorted(VALID))
def test_a_valid_example_decodes_to_the_type_it_names(topic: str, kind: str) -> None:
    event = decode_any(topic, (EXAMPLES / topic / f"{kind}.json").read_bytes())
    tag = getattr(event, "type", None) or event.__struct_config__.tag
    assert topic == "definition" or tag == kind
    for name, value in VALID[topic, kind].items():
        if isinstance(value, str) and name not in ("type", "occurred_at", "effective_at", "amount", "value"):
            assert getattr(event, name) == value


@pytest.mark.parametrize(("topic", "kind"), sorted(VALID))
def test_a_valid_example_satisfies_the_published_schema(topic: str, kind: str) -> None:
    jsonschema.validate(VALID[topic, kind], render()[topic], cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(("topic", "case"), INVALID)
def test_an_invalid_example_is_refused_for_the_reason_and_field_it_names(
    topic: str, case: dict[str, Any]
) -> None:
    value = case["value_text"].encode() if "value_text" in case else msgspec.json.encode(case["value"])
    with pytest.raises(Rejected) as caught:
        decode_any(topic, value)
    assert (caught.value.reason.value, caught.value.field) == (case["reason"], case["field"])
    assert caught.value.reason in Reason
