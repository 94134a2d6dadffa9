"""Lines to records: keys as the contract wants them, and an error that names file and line."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from deploy.send import LineError, parse_line, read_files
from schemas.topics import Topics

TOPICS = Topics()


def key_of(value: Any, topic: str = "order", **members: Any) -> bytes | None:
    line = json.dumps({"topic": f"shop.{topic}", "value": value, **members}, ensure_ascii=False)
    return parse_line(line.encode(), "f:1", TOPICS).key


def test_the_key_is_store_and_person_the_customer_first() -> None:
    assert key_of({"store_id": "acme", "anonymous_id": "d-1"}) == b"acme|d-1"
    assert key_of({"store_id": "acme", "anonymous_id": "d-1", "customer_id": "ann"}) == b"acme|ann"
    assert key_of({"store_id": "acme", "anonymous_id": "d-1", "customer_id": None}) == b"acme|d-1"
    assert key_of({"store_id": "acme", "customer_id": "señor-å"}) == "acme|señor-å".encode()


def test_an_order_event_without_a_person_is_keyed_by_the_order() -> None:
    assert key_of({"store_id": "acme", "order_id": "o-9", "type": "canceled"}) == b"acme|order:o-9"


def test_a_definition_is_keyed_by_kind_and_id() -> None:
    assert key_of({"store_id": "acme", "kind": "journey", "id": "j1"}, "definition") == b"acme|journey|j1"


def test_a_given_key_wins_and_what_says_too_little_has_none() -> None:
    assert key_of({"store_id": "acme", "customer_id": "ann"}, key="other") == b"other"
    values: tuple[Any, ...] = ({}, [], 7, "text", {"store_id": 3}, {"store_id": "acme"})
    for value in values:
        assert key_of(value) is None


def test_the_value_goes_as_it_was_written() -> None:
    line = b'{"topic": "shop.order", "timestamp": 5, "value": {"a":  1.50, "a": 2}}'
    record = parse_line(line, "f:1", TOPICS)
    assert record.value == b'{"a":  1.50, "a": 2}'
    assert record.timestamp_ms == 5


def test_raw_bytes_come_as_base64() -> None:
    line = json.dumps({"topic": "shop.click", "value_base64": base64.b64encode(b"\xff{").decode()})
    assert parse_line(line.encode(), "f:1", TOPICS).value == b"\xff{"


@pytest.mark.parametrize("member", [b"", b'"key": "k", '])
def test_a_value_nested_too_deeply_is_an_error_of_its_line(member: bytes) -> None:
    deep = b'{"store_id": "acme", "a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(LineError, match="f:1: nested too deeply"):
        parse_line(b'{"topic": "shop.order", ' + member + b'"value": ' + deep + b"}", "f:1", TOPICS)
    raw = b'"value_base64": "' + base64.b64encode(deep) + b'"}'
    if member:
        assert parse_line(b'{"topic": "shop.order", ' + member + raw, "f:1", TOPICS).value == deep
    else:
        with pytest.raises(LineError, match=r"f:1: .* give the key"):
            parse_line(b'{"topic": "shop.order", ' + raw, "f:1", TOPICS)


def test_null_deletes_a_definition_and_needs_its_key() -> None:
    line = '{"topic": "shop.definition", "value": null, "key": "acme|goal|g"}'
    assert parse_line(line.encode(), "f:1", TOPICS).value is None
    with pytest.raises(LineError, match="give the key"):
        parse_line(b'{"topic": "shop.definition", "value": null}', "f:1", TOPICS)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "one JSON object"),
        ("[]", "one JSON object"),
        ('{"topic": "shop.nope", "value": {}}', "shop.impression"),
        ('{"topic": "order", "value": {}}', "shop.order"),
        ('{"topic": "shop.order"}', "either `value` or `value_base64`"),
        ('{"topic": "shop.order", "value": {}, "value_base64": ""}', "either"),
        ('{"topic": "shop.order", "value_base64": "?"}', "value_base64"),
        ('{"topic": "shop.order", "value": {}, "timestamp": "now"}', "timestamp"),
        ('{"topic": "shop.order", "value": {}, "timestamp": -1}', "1970"),
        ('{"topic": "shop.order", "value": {}, "tiemstamp": 1}', "tiemstamp"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text(f'{{"topic": "shop.order", "value": {{}}}}\n\n{line}\n')
    records = read_files([file], [], TOPICS)
    next(records)
    with pytest.raises(LineError, match=r"events.jsonl:3: ") as caught:
        next(records)
    assert said in str(caught.value)


def test_a_file_that_is_not_there_is_named_and_a_dash_reads_stdin(tmp_path: Path) -> None:
    with pytest.raises(LineError, match=r"nothing\.jsonl"):
        list(read_files([tmp_path / "nothing.jsonl"], [], TOPICS))
    lines = [b'{"topic": "shop.order", "value": {}}\n']
    assert [record.origin for record in read_files([Path("-")], lines, TOPICS)] == ["stdin:1"]
