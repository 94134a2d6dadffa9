"""Each record in its bucket, with the reason and field of the first rule it breaks (H01 to H15)."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.stores import Store
from tests.oracle.events import TYPES, read_event
from tests.oracle.records import RawRecord, Verdict
from tests.oracle.scalars import MAX_BYTES, Refused, minor_units
from tests.oracle.verdicts import judge
from tests.oracle.wire import Sent, partition_of, raw_records

STORES = {"acme": Store(currency="JPY")}
NOW = 1_767_261_600_000
CLICK = {
    "event_id": "e1",
    "type": "clicked",
    "store_id": "acme",
    "occurred_at": NOW,
    "customer_id": "ann",
    "product_id": "p1",
}
ORDER = {
    "event_id": "e2",
    "type": "captured",
    "store_id": "acme",
    "occurred_at": NOW,
    "customer_id": "ann",
    "order_id": "o1",
    "currency": "EUR",
    "lines": [{"product_id": "p1", "quantity": 2, "unit_price": "1.50"}],
    "total": 3,
}
REFUND = {
    "event_id": "e3",
    "type": "refunded",
    "store_id": "acme",
    "occurred_at": NOW,
    "order_id": "o1",
    "refund_id": "r1",
    "amount": "1.2345",
}


def verdict(topic: str, value: Any, timestamp_ms: int | None = NOW) -> Verdict:
    """The verdict of one record."""
    record = raw_records([Sent(topic, value, 0)])[0]._replace(timestamp_ms=timestamp_ms)
    return judge([record], STORES)[0][record.origin]


def without(value: dict[str, Any], *names: str) -> dict[str, Any]:
    """The value less some fields."""
    return {name: field for name, field in value.items() if name not in names}


LINE = {"product_id": "p1", "quantity": 2, "unit_price": "1.50"}
DEAD = [
    ("click", None, "malformed_json", ""),
    ("click", b"", "malformed_json", ""),
    ("click", b"\xef\xbb\xbf{}", "malformed_json", ""),
    ("click", b"\xff{}", "malformed_json", ""),
    ("click", b'{"a": NaN}', "malformed_json", ""),
    ("click", b'{"a": "\\ud800"}', "malformed_json", ""),
    ("click", b"[" * 100_000, "malformed_json", ""),
    ("click", b'"text"', "not_an_object", ""),
    ("click", b" " * (MAX_BYTES + 1), "too_large", ""),
    ("click", {**CLICK, "schema_version": 2, "store_id": 5}, "unknown_version", "schema_version"),
    ("click", {**CLICK, "schema_version": 1.0}, "wrong_type", "schema_version"),
    ("click", {**without(CLICK, "store_id"), "type": "no"}, "missing_field", "store_id"),
    ("click", {**CLICK, "store_id": "a b"}, "invalid_value", "store_id"),
    ("click", {**CLICK, "store_id": "other", "type": 1}, "unknown_store", "store_id"),
    ("click", {**CLICK, "type": "shown", "event_id": ""}, "unknown_type", "type"),
    ("click", {**CLICK, "event_id": "x" * 65, "occurred_at": "no"}, "invalid_value", "event_id"),
    ("click", {**CLICK, "occurred_at": None}, "missing_field", "occurred_at"),
    ("click", {**CLICK, "occurred_at": NOW // 1000}, "invalid_time", "occurred_at"),
    ("click", {**CLICK, "occurred_at": float(NOW)}, "invalid_time", "occurred_at"),
    ("click", {**CLICK, "occurred_at": str(NOW)}, "invalid_time", "occurred_at"),
    ("click", {**CLICK, "occurred_at": "2026-01-01T10:00:00"}, "invalid_time", "occurred_at"),
    ("click", {**CLICK, "occurred_at": "2026-01-01T10:00:60Z"}, "invalid_time", "occurred_at"),
    ("click", {**CLICK, "occurred_at": "2026-01-01T24:00:00Z"}, "invalid_time", "occurred_at"),
    ("click", {**CLICK, "occurred_at": "2026-01-01T10:00:00,5Z"}, "invalid_time", "occurred_at"),
    ("click", {**CLICK, "occurred_at": "2026-02-29T10:00:00Z"}, "invalid_time", "occurred_at"),
    ("click", {**CLICK, "occurred_at": []}, "wrong_type", "occurred_at"),
    ("click", {**CLICK, "context": {"device": 1}}, "wrong_type", "context.device"),
    ("click", {**CLICK, "is_test": 1}, "wrong_type", "is_test"),
    ("click", {**CLICK, "is_test": True, "product_id": ""}, "invalid_value", "product_id"),
    ("click", without(CLICK, "customer_id"), "missing_field", "customer_id"),
    ("click", {**CLICK, "occurred_at": NOW + 600_001}, "in_future", "occurred_at"),
    ("session", {**CLICK, "type": "identified"}, "missing_field", "anonymous_id"),
    ("session", {**CLICK, "type": "message", "direction": "up"}, "invalid_value", "direction"),
    (
        "session",
        {**CLICK, "type": "goal_reached", "goal_id": "g", "value": "1.5"},
        "amount_precision",
        "value",
    ),
    ("impression", {**CLICK, "type": "shown", "widget_id": "w", "products": []}, "invalid_value", "products"),
    (
        "impression",
        {**CLICK, "type": "shown", "widget_id": "w", "products": [{"product_id": "p", "position": 2.0}]},
        "wrong_type",
        "products[0].position",
    ),
    ("cart", {**CLICK, "type": "added", "quantity": 0}, "invalid_value", "quantity"),
    ("order", {**ORDER, "currency": "eur"}, "unknown_currency", "currency"),
    ("order", {**ORDER, "lines": [LINE, 5]}, "wrong_type", "lines[1]"),
    (
        "order",
        {**ORDER, "lines": [{**LINE, "unit_price": "1.505"}]},
        "amount_precision",
        "lines[0].unit_price",
    ),
    ("order", {**ORDER, "lines": [{**LINE, "unit_price": "1e2"}]}, "invalid_value", "lines[0].unit_price"),
    ("order", {**ORDER, "lines": [{**LINE, "discount": "3.01"}]}, "invalid_value", "lines[0].discount"),
    ("order", {**ORDER, "lines": [{**LINE, "unit_price": "6e12"}]}, "invalid_value", "lines[0].unit_price"),
    ("order", {**ORDER, "total": -1}, "invalid_value", "total"),
    ("order", {**ORDER, "total": 10**13}, "invalid_value", "total"),
    ("order", {**ORDER, "shipping": 2, "tax": "1.01"}, "invalid_value", "total"),
    ("order", {**REFUND, "amount": "1.23456"}, "amount_precision", "amount"),
    (
        "order",
        {**REFUND, "lines": [{"product_id": "p1", "quantity": 1, "amount": "1.2346"}]},
        "invalid_value",
        "amount",
    ),
    (
        "journey-node",
        {
            **CLICK,
            "type": "node_entered",
            "journey_id": "j",
            "execution_id": "x",
            "node_id": "n",
            "node_type": "go",
        },
        "invalid_value",
        "node_type",
    ),
]


@pytest.mark.parametrize(("topic", "value", "reason", "field"), DEAD)
def test_the_first_broken_rule_gives_reason_and_field(
    topic: str, value: Any, reason: str, field: str
) -> None:
    assert verdict(topic, value) == Verdict("dead_letter", reason, field)


ACCEPTED = [
    ("click", CLICK),
    ("click", {**CLICK, "session_id": None, "context": {"device": None, "other": 5}, "extra": [1]}),
    ("click", {**CLICK, "occurred_at": NOW + 600_000}),
    ("click", {**CLICK, "occurred_at": "2026-01-01t11:29:59.9999+01:30"}),
    ("order", ORDER),
    ("order", {**ORDER, "total": 30e-1, "lines": [{**LINE, "unit_price": "1.5000"}]}),
    ("order", {**ORDER, "currency": "JPY", "lines": [{**LINE, "unit_price": "7.00"}], "total": 14}),
    ("order", REFUND),
    ("order", {**without(REFUND, "refund_id", "amount"), "type": "canceled"}),
]


@pytest.mark.parametrize(("topic", "value"), ACCEPTED)
def test_what_the_contract_allows_is_accepted(topic: str, value: Any) -> None:
    assert verdict(topic, value) == Verdict("accepted")


def test_a_record_of_exactly_the_limit_is_read() -> None:
    body = Sent("click", CLICK, NOW).body or b""
    assert verdict("click", body + b" " * (MAX_BYTES - len(body))) == Verdict("accepted")


@pytest.mark.parametrize(
    ("occurred_at", "at"),
    [
        ("2026-01-01T10:00:00Z", NOW),
        ("2026-01-01T10:00:00.0019Z", NOW + 1),
        ("2026-01-01T15:30:00.5+05:30", NOW + 500),
        ("2026-01-01T06:00:00-04:00", NOW),
    ],
)
def test_times_are_read_to_the_millisecond_and_cut(occurred_at: str, at: int) -> None:
    body = Sent("click", {**CLICK, "occurred_at": occurred_at}, NOW).body
    assert read_event("click", body, NOW, STORES).at == at


@pytest.mark.parametrize(
    ("behind", "moved"), [(60_000, 0), (60_001, 60_001), (-60_000, 0), (-60_001, -60_001)]
)
def test_a_wrong_clock_is_put_right_beyond_a_minute(behind: int, moved: int) -> None:
    body = Sent("click", {**CLICK, "sent_at": NOW - behind}, NOW).body
    assert read_event("click", body, NOW, STORES).at == NOW + moved
    assert read_event("click", body, None, STORES).at == NOW


@pytest.mark.parametrize(
    ("digits", "exponent", "minor"),
    [
        ("0.1", 2, 10),
        ("50.000", 2, 5000),
        ("1e2", 0, 100),
        ("1E-3", 3, 1),
        ("9999999999999.99", 2, 10**15 - 1),
    ],
)
def test_money_is_moved_by_digits(digits: str, exponent: int, minor: int) -> None:
    assert minor_units(digits, exponent, "x") == minor


def test_huge_powers_cost_nothing() -> None:
    for digits, reason in (("1e999999999999", "invalid_value"), ("1e-999999999999", "amount_precision")):
        with pytest.raises(Refused, match=reason):
            minor_units(digits, 2, "x")
    assert minor_units("0e999999999999", 2, "x") == 0


def test_only_accepted_records_occupy_an_event_id() -> None:
    sent = [
        Sent("click", {**CLICK, "is_test": True}, NOW),
        Sent("click", {**CLICK, "product_id": 5}, NOW),
        Sent("click", {**CLICK, "product_id": "late"}, NOW),
        Sent("click", {**CLICK, "product_id": "counted"}, NOW),
        Sent("cart", {**CLICK, "type": "emptied"}, NOW + 1),
    ]
    records = raw_records(sent)
    verdicts, events = judge(records, STORES, too_late={records[2].origin})
    assert [verdicts[record.origin].bucket for record in records] == [
        "test_traffic",
        "dead_letter",
        "too_late",
        "accepted",
        "duplicate",
    ]
    assert [event.product_id for event in events] == ["counted"]
    # Which of two different bodies came first, only the caller can know.
    verdicts, events = judge(records, STORES, too_late={records[2].origin}, first={records[4].origin})
    assert verdicts[records[3].origin].bucket == "duplicate"
    assert [event.type for event in events] == ["emptied"]


def test_records_must_be_told_apart() -> None:
    record = RawRecord("click", 0, 0, NOW, None, None)
    with pytest.raises(ValueError, match="two records of one origin"):
        judge([record, record], STORES)
    with pytest.raises(ValueError, match="no source topic"):
        judge([record._replace(topic="shop.click")], STORES)


@pytest.mark.parametrize(
    ("key", "hashed"),
    # As Kafka's own test of its murmur2 has them.
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("abc", 479470107),
    ],
)
def test_partitions_are_those_of_kafka(key: str, hashed: int) -> None:
    for partitions in (1, 8, 12):
        assert partition_of(key.encode(), partitions) == (hashed & 0x7FFFFFFF) % partitions


EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"


@pytest.mark.parametrize(
    "path", sorted(EXAMPLES.glob("*/*.json")), ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_the_published_examples_are_judged_as_they_say(path: Path) -> None:
    """The examples were written for the pipeline's decoder: two readings of the contract meet here."""
    content = json.loads(path.read_text())
    for item in content if path.name.endswith(".invalid.json") else [{"value": content}]:
        value = item["value_text"].encode() if "value_text" in item else item["value"]
        expected = (item.get("reason", ""), item.get("field", ""))
        assert verdict(path.parent.name, value, None)[1:] == expected, item


def test_there_are_examples_of_every_topic() -> None:
    assert {path.parent.name for path in EXAMPLES.glob("*/*.json")} >= set(TYPES)
