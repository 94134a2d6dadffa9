"""The fast decoder and the slow one are two accounts of one contract; here they are held to each other."""

import copy
import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.events.decode import _READ, _decode, _decode_definition, decode_definition
from schemas.events.diagnose import canonical_definition, canonical_event
from schemas.events.rules import ENVELOPE, STORE_RULE, TYPES, VERSION_RULE
from schemas.events.types import WIRE_TYPES
from schemas.reasons import Reason, Rejected
from tests.schemas.records import STORES, VALID, verdict

BODIES = [(topic, body) for (topic, _), body in VALID.items() if topic != "definition"]
TOKENS = st.one_of(
    st.sampled_from(
        [
            "null",
            "true",
            "0",
            "-0",
            "1",
            "-1",
            "2.0",
            "2e0",
            "1e400",
            "-1e-9",
            "99999999999999999999",
            '"1"',
            '""',
            "[]",
            "{}",
            "[null]",
            "[{}]",
            '"EUR"',
            '"eur"',
            '"XAU"',
            '"in"',
            '"end"',
            '"started"',
            '"clicked"',
            '"acme"',
            '"tokyo"',
            '"2026-01-01T10:00:00Z"',
            "1767262860000",
            '"\\ud83d\\ude00"',
            '"\\u0000"',
            "NaN",
            '"\\ud800"',
            "0.001",
            '"0.01"',
            '{"device":null}',
            '{"device":1,"x":1e999}',
            "9" * 5000,
            "[1,",
            '"' + "x" * 129 + '"',
        ]
    ),
    st.integers(-(2**65), 2**65).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(-10, 10**16, allow_nan=False, allow_infinity=False, places=3).map(str),
    st.text(max_size=140).map(json.dumps),
    st.text(max_size=40, alphabet=st.characters(exclude_categories=["Cs"])).map(
        lambda text: json.dumps(text, ensure_ascii=False)
    ),
)


def slow_verdict(topic: str, value: bytes) -> bytes | tuple[str, str]:
    """The canonical record, or reason and field out of the closed list."""
    try:
        return canonical_event(topic, value, STORES)
    except Rejected as rejected:
        return Reason(rejected.reason).value, rejected.field


def write(tree: Any) -> str:
    """JSON of a tree in which a `bytes` stands for a token as it is."""
    if isinstance(tree, bytes):
        return tree.decode()
    if isinstance(tree, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{write(member)}" for name, member in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ",".join(write(member) for member in tree) + "]"
    return json.dumps(tree)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """An example with up to three members, also inside lists, replaced, dropped, added or given twice."""
    topic, body = draw(st.sampled_from(BODIES))
    tree = copy.deepcopy(body)
    extra = ""
    for _ in range(draw(st.integers(0, 3))):
        place: Any = tree
        while True:
            inner = [
                member
                for member in (place.values() if isinstance(place, dict) else place)
                if isinstance(member, (dict, list))
            ]
            if not inner or draw(st.booleans()):
                break
            place = draw(st.sampled_from(inner))
        names = sorted(place) if isinstance(place, dict) else list(range(len(place)))
        action = draw(st.sampled_from(["replace", "replace", "drop", "add", "twice"]))
        token = draw(TOKENS).encode()
        if action == "replace" and names:
            place[draw(st.sampled_from(names))] = token
        elif action == "drop" and names:
            del place[draw(st.sampled_from(names))]
        elif action == "add" and isinstance(place, dict):
            optional = [
                "sent_at",
                "anonymous_id",
                "channel",
                "is_test",
                "schema_version",
                "context",
                "discount",
                "value",
            ]
            place[draw(st.sampled_from([*optional, "currency", "position", "lines", "unknown"]))] = token
        elif action == "twice":
            extra += f",{json.dumps(draw(st.sampled_from(sorted(body))))}:{token.decode()}"
    return topic, (write(tree)[:-1] + extra + "}").encode()


@settings(max_examples=1500, deadline=None)
@given(damaged())
def test_both_paths_give_the_same_verdict(case: tuple[str, bytes]) -> None:
    topic, value = case
    slow = slow_verdict(topic, value)
    if isinstance(slow, tuple):
        with pytest.raises(Exception):  # noqa: B017  # whatever it is, decode asks the slow path why
            _decode(_READ[topic], value, STORES)
        assert verdict(topic, value) == slow
        return
    canonical = _decode(_READ[topic], slow, STORES)  # what the slow path accepts the fast one reads
    assert verdict(topic, value) == canonical
    try:
        fast = _decode(_READ[topic], value, STORES)
    except Exception:  # a null in an optional field, a member given twice: read through the canonical form
        return
    assert fast == canonical


@settings(max_examples=1000, deadline=None)
@given(st.sampled_from(sorted(TYPES)), st.binary(max_size=300))
@example("click", b'{"type":"clicked","store_id":"acme","x":"\xff"}')
def test_no_bytes_raise_anything_but_rejected(topic: str, value: bytes) -> None:
    assert isinstance(verdict(topic, value), tuple)


@settings(max_examples=1000, deadline=None)
@given(st.sampled_from(BODIES), st.integers(0, 400), st.integers(0, 20), st.binary(max_size=6))
def test_no_splice_of_bytes_raises_anything_but_rejected(
    case: tuple[str, dict[str, Any]], at: int, cut: int, splice: bytes
) -> None:
    topic, body = case
    text = json.dumps(body).encode()
    value = text[:at] + splice + text[at + cut :]
    slow = slow_verdict(topic, value)
    expected = slow if isinstance(slow, tuple) else _decode(_READ[topic], slow, STORES)
    assert verdict(topic, value) == expected


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(VALID["definition", "definition"])), TOKENS, max_size=3))
def test_definitions_have_two_paths_that_agree_as_well(changes: dict[str, str]) -> None:
    tree = {**VALID["definition", "definition"], **{name: token.encode() for name, token in changes.items()}}
    value = write(tree).encode()
    try:
        slow = canonical_definition(value, STORES)
    except Rejected:
        with pytest.raises(Rejected):
            decode_definition(value, STORES)
        with pytest.raises(Exception):  # noqa: B017
            _decode_definition(value, STORES)
    else:
        assert decode_definition(value, STORES) == _decode_definition(slow, STORES)


def test_the_slow_path_knows_every_field_of_every_struct_and_no_other() -> None:
    for topic, types in TYPES.items():
        wire = WIRE_TYPES[topic]
        structs = {
            struct.__struct_config__.tag or "shown": struct for struct in getattr(wire, "__args__", (wire,))
        }
        assert set(structs) == set(types)
        for kind, rules in types.items():
            ruled = {rule.name: rule.required for rule in (*ENVELOPE, STORE_RULE, VERSION_RULE, *rules)}
            fields = {field.encode_name: field.required for field in msgspec.structs.fields(structs[kind])}
            fields.pop("type", None)
            assert fields == ruled
