"""The published JSON Schemas: valid themselves, fresh on disk, and as strict as they can be."""

import copy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from schemas.events.jsonschema import render, rendered_files
from schemas.events.types import WIRE_TYPES
from tests.schemas.records import DROP, VALID, changed

ROOT = Path(__file__).parents[2]


def accepts(topic: str, body: Any) -> bool:
    return bool(jsonschema.Draft202012Validator(render()[topic]).is_valid(body))


@pytest.mark.parametrize("topic", sorted(WIRE_TYPES))
def test_a_schema_is_itself_valid_2020_12_and_names_the_trap_of_integers(topic: str) -> None:
    schema = render()[topic]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"].endswith("2020-12/schema")
    assert "2.0" in schema["description"]


@pytest.mark.parametrize("path", sorted(rendered_files()))
def test_the_file_on_disk_is_the_rendered_one(path: str) -> None:
    assert (ROOT / path).read_text() == rendered_files()[path], "stale: run `make render`"


@pytest.mark.parametrize(("topic", "kind"), sorted(VALID))
def test_an_optional_member_may_be_null_and_a_required_one_may_not(topic: str, kind: str) -> None:
    optional = {"session_id", "channel", "is_test", "schema_version", "context", "sent_at"}
    if topic != "definition":
        assert accepts(topic, changed(topic, kind, **dict.fromkeys(optional)))
    for name in set(VALID[topic, kind]) & {
        "store_id",
        "event_id",
        "product_id",
        "order_id",
        "journey_id",
        "kind",
        "id",
    }:
        assert not accepts(topic, changed(topic, kind, **{name: None}))


def test_a_schema_asks_for_a_person_where_the_contract_does() -> None:
    nobody = {"customer_id": DROP, "anonymous_id": DROP}
    assert not accepts("click", changed("click", "clicked", **nobody))
    assert not accepts("click", changed("click", "clicked", customer_id=None))
    assert not accepts("session", changed("session", "identified", anonymous_id=DROP))
    assert accepts("order", changed("order", "refunded", **nobody))


def test_a_definition_needs_a_status_unless_it_is_a_goal_or_a_product() -> None:
    assert not accepts("definition", changed("definition", "definition", status=DROP))
    assert accepts("definition", changed("definition", "definition", kind="goal", status=DROP))


def test_bounds_and_forms_are_in_the_schema() -> None:
    assert accepts("click", changed("click", "clicked", event_id="e" * 64))
    assert not accepts("click", changed("click", "clicked", event_id="e" * 65))
    assert not accepts("click", changed("click", "clicked", store_id="a b"))
    assert not accepts("cart", changed("cart", "added", quantity=0))
    assert not accepts("order", changed("order", "captured", total=-1))
    assert not accepts("order", changed("order", "captured", total="1e3"))
    assert accepts("order", changed("order", "captured", total="135.00"))
    shown = copy.deepcopy(VALID["impression", "shown"])
    shown["products"] = [{"product_id": "p"}] * 201
    assert not accepts("impression", shown)
