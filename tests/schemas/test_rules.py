"""The rules of the contract, one by one, at their boundaries."""

import json
from typing import Any

import pytest

from schemas.events.decode import decode, decode_definition
from schemas.events.untyped import MAX_BYTES, MAX_DEPTH
from schemas.reasons import Rejected
from tests.schemas.records import (
    DROP,
    STORES,
    VALID,
    changed,
    decoded,
    decoded_with,
    refused,
    refused_bytes,
    refused_with,
    with_token,
)

CLICK = json.dumps(VALID["click", "clicked"]).encode()
LINE = {"product_id": "p", "quantity": 1, "unit_price": 1}


def test_defaults_are_filled_in() -> None:
    click = decoded("click", "clicked")
    assert (click.channel, click.is_test, click.schema_version, click.sent_at) == ("web", False, 1, None)
    order = decoded("order", "captured", shipping=DROP, tax=None, order_version=DROP, lines=[LINE], total=1)
    assert (order.order_version, order.shipping, order.tax, order.lines[0].discount) == (1, 0, 0, 0)


@pytest.mark.parametrize("name", ["session_id", "channel", "is_test", "schema_version", "context", "sent_at"])
def test_null_in_an_optional_field_is_the_field_left_out(name: str) -> None:
    assert decoded("click", "clicked", **{name: None}) == decoded("click", "clicked", **{name: DROP})


def test_null_inside_lists_and_context_counts_as_left_out_too() -> None:
    assert (
        decoded("impression", "shown", products=[{"product_id": "p", "position": None}]).products[0].position
        is None
    )
    assert decoded("click", "clicked", context={"device": None, "page": "/"}).context.page == "/"
    assert decoded("order", "captured", lines=[{**LINE, "discount": None}], total=20).lines[0].discount == 0
    assert decoded("order", "refunded", lines=None).lines is None
    assert decoded("session", "goal_reached", value=None, currency=None).value is None


@pytest.mark.parametrize("name", ["event_id", "store_id", "type", "occurred_at", "product_id"])
def test_null_in_a_required_field_is_a_missing_field(name: str) -> None:
    assert refused("click", "clicked", **{name: None}) == ("missing_field", name)


def test_a_record_may_have_256_kib_and_not_a_byte_more() -> None:
    padded = CLICK[:-1] + b" " * (MAX_BYTES - len(CLICK)) + b"}"
    assert len(padded) == MAX_BYTES == 262_144
    assert decode("click", padded, STORES)
    null = CLICK[:-1] + b',"channel":null'  # read by the slow path, which has the same bound
    assert decode("click", null + b" " * (MAX_BYTES - len(null) - 1) + b"}", STORES)
    assert refused_bytes("click", padded + b" ") == ("too_large", "")
    assert refused_bytes("click", b"\xff" * (MAX_BYTES + 1)) == ("too_large", "")


@pytest.mark.parametrize(
    "value",
    [
        None, b"", b" ", b"{", b"\xef\xbb\xbf" + CLICK, CLICK.decode().encode("utf-16"), CLICK[:-1], CLICK + b"x",
        CLICK[:-1] + b',"x":"\xff"}', CLICK[:-1] + b',"x":NaN}', CLICK[:-1] + b',"x":-Infinity}',
        CLICK[:-1] + b',"x":"\\ud800"}', CLICK[:-1] + b',"\\udc00":1}', CLICK[:-1] + b',"x":"\\ud800\\ud800\\udc00"}',
        CLICK[:-1] + b',"x":"\n"}', CLICK[:-1] + b',"x":01}', CLICK[:-1] + b",}", b"\xed\xa0\x80",
        CLICK[:-1] + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_utf_8_json_is_malformed(value: bytes | None) -> None:
    assert refused_bytes("click", value) == ("malformed_json", "")


def test_nesting_is_bounded_and_brackets_inside_strings_do_not_count() -> None:
    def nested(depth: int) -> bytes:
        return CLICK[:-1] + b',"x":' + b"[" * depth + b"]" * depth + b"}"

    assert decode("click", nested(MAX_DEPTH - 1), STORES)
    assert refused_bytes("click", nested(MAX_DEPTH)) == ("malformed_json", "")
    assert decoded("click", "clicked", x='[{\\"' * 1000)
    assert decoded("click", "clicked", x=[[]] * 1000)


@pytest.mark.parametrize("value", [b"null", b"[]", b"1", b'"x"', b"true"])
def test_json_that_is_no_object_says_so(value: bytes) -> None:
    assert refused_bytes("click", value) == ("not_an_object", "")


def test_unknown_members_are_ignored_whatever_they_are() -> None:
    assert decode("click", CLICK[:-1] + b',"x":1e999,"y":[{"z":null}],"":' + b"9" * 5000 + b"}", STORES)
    assert decoded("click", "clicked", context={"x": 1, "y": [None]}).context.device is None


def test_of_a_member_given_twice_the_last_counts() -> None:
    assert decode("click", CLICK[:-1] + b',"product_id":"p2"}', STORES).product_id == "p2"  # type: ignore[union-attr]
    assert decode("click", b'{"product_id":5,"type":7,' + CLICK[1:], STORES) == decode("click", CLICK, STORES)
    assert refused_bytes("click", CLICK[:-1] + b',"product_id":5}') == ("wrong_type", "product_id")


@pytest.mark.parametrize(
    ("topic", "kind", "name", "longest"),
    [
        ("click", "clicked", "event_id", 64),
        ("click", "clicked", "customer_id", 128),
        ("click", "clicked", "session_id", 128),
        ("click", "clicked", "product_id", 128),
        ("click", "clicked", "widget_id", 128),
        ("cart", "added", "sku", 128),
        ("order", "canceled", "order_id", 128),
        ("journey-node", "notification_sent", "notification_channel", 128),
        ("session", "activity", "name", 128),
    ],
)
def test_lengths_count_code_points_and_nothing_is_trimmed(
    topic: str, kind: str, name: str, longest: int
) -> None:
    for text in ("x", " ", "\0", "\x7f", "x" * longest, "é" * longest, "\U0001f600" * longest):
        assert getattr(decoded(topic, kind, **{name: text}), name) == text
    for text in ("", "x" * (longest + 1), "\U0001f600" * (longest + 1)):
        assert refused(topic, kind, **{name: text}) == ("invalid_value", name)


def test_a_channel_has_at_most_32_characters() -> None:
    assert decoded("click", "clicked", channel="c" * 32).channel == "c" * 32
    assert decoded("click", "clicked", channel="").channel == ""
    assert refused("click", "clicked", channel="c" * 33) == ("invalid_value", "channel")


@pytest.mark.parametrize("store_id", ["a b", "", "a/b", "é", "a|b", "s" * 65, "acme\n"])
def test_a_store_id_of_the_wrong_form_is_an_invalid_value(store_id: str) -> None:
    assert refused("click", "clicked", store_id=store_id) == ("invalid_value", "store_id")


@pytest.mark.parametrize("store_id", ["s" * 64, "Acme", "a_b.c-D9"])
def test_a_store_id_of_the_right_form_may_still_be_unknown(store_id: str) -> None:
    assert refused("click", "clicked", store_id=store_id) == ("unknown_store", "store_id")


@pytest.mark.parametrize(
    ("topic", "kind", "name", "low", "high"),
    [
        ("cart", "added", "quantity", 1, 1_000_000),
        ("order", "captured", "order_version", 1, 2**31 - 1),
        ("click", "clicked", "schema_version", 1, 1),
    ],
)
def test_integers_are_exact_and_bounded(topic: str, kind: str, name: str, low: int, high: int) -> None:
    for number in (low, high):
        assert getattr(decoded(topic, kind, **{name: number}), name) == number
    assert refused(topic, kind, **{name: low - 1}) == ("invalid_value", name)
    above = "unknown_version" if name == "schema_version" else "invalid_value"
    for token in (str(high + 1), "9223372036854775808", "9" * 5000):
        assert refused_with(topic, kind, name, token) == (above, name)
    assert refused_with(topic, kind, name, "-" + "9" * 5000) == ("invalid_value", name)
    for token in ("1.0", "1e0", '"1"', "true", "1.5", "[1]", "-1.0"):
        assert refused_with(topic, kind, name, token) == ("wrong_type", name)


def test_positions_may_be_zero_and_products_one_to_two_hundred() -> None:
    one = {"product_id": "p", "position": 0}
    assert len(decoded("impression", "shown", products=[one] * 200).products) == 200
    assert refused("impression", "shown", products=[one] * 201) == ("invalid_value", "products")
    assert decoded("impression", "shown", products=[{**one, "position": 1_000_000}])
    bad = [one, {**one, "position": 1_000_001}]
    assert refused("impression", "shown", products=bad) == ("invalid_value", "products[1].position")


@pytest.mark.parametrize(
    ("steps", "verdict"),
    [
        ({"store_id": DROP, "schema_version": 2}, ("unknown_version", "schema_version")),
        ({"type": "?", "store_id": "?"}, ("invalid_value", "store_id")),
        ({"type": "?", "store_id": "other"}, ("unknown_store", "store_id")),
        ({"event_id": "", "type": "?"}, ("unknown_type", "type")),
        ({"occurred_at": 1, "event_id": ""}, ("invalid_value", "event_id")),
        ({"sent_at": 1, "occurred_at": True}, ("wrong_type", "occurred_at")),
        ({"customer_id": 1, "sent_at": 1}, ("invalid_time", "sent_at")),
        ({"anonymous_id": 1, "customer_id": ""}, ("invalid_value", "customer_id")),
        ({"session_id": 1, "anonymous_id": ""}, ("invalid_value", "anonymous_id")),
        ({"channel": 1, "session_id": ""}, ("invalid_value", "session_id")),
        ({"is_test": 1, "channel": 1}, ("wrong_type", "channel")),
        ({"context": 1, "is_test": 1}, ("wrong_type", "is_test")),
        ({"product_id": 1, "context": 1}, ("wrong_type", "context")),
        ({"widget_id": 1, "product_id": ""}, ("invalid_value", "product_id")),
        ({"customer_id": DROP, "widget_id": 1}, ("wrong_type", "widget_id")),
        ({"customer_id": DROP, "is_test": True}, ("missing_field", "customer_id")),
    ],
)
def test_of_several_things_wrong_the_first_of_the_contract_is_named(
    steps: dict[str, Any], verdict: tuple[str, str]
) -> None:
    assert refused("click", "clicked", **steps) == verdict


def test_test_traffic_that_is_valid_is_an_event() -> None:
    assert decoded("click", "clicked", is_test=True).is_test is True


def test_an_order_is_read_in_minor_units_of_its_currency() -> None:
    order = decoded("order", "captured")
    assert [(line.unit_price, line.discount) for line in order.lines] == [(5000, 500), (3000, 0)]
    assert (order.shipping, order.tax, order.total) == (1000, 0, 13500)
    yen = decoded("order", "captured", currency="JPY", lines=[{**LINE, "unit_price": "50.0"}], total=60)
    assert (yen.lines[0].unit_price, yen.total) == (50, 60)
    assert decoded_with("order", "captured", "total", "0.1e3").total == 10000


def test_a_line_may_be_given_away_but_not_for_less_than_nothing() -> None:
    assert decoded("order", "captured", lines=[{**LINE, "discount": 1}]).lines[0].discount == 100
    refusal = refused("order", "captured", lines=[LINE, {**LINE, "discount": "1.01"}])
    assert refusal == ("invalid_value", "lines[1].discount")


def test_a_total_covers_shipping_and_tax_exactly_or_is_refused() -> None:
    assert decoded("order", "captured", shipping="3.50", tax="1.49", total="4.99").total == 499
    assert refused("order", "captured", shipping="3.50", tax="1.50", total="4.99") == (
        "invalid_value",
        "total",
    )


def test_a_surcharge_is_legal() -> None:
    assert decoded("order", "captured", lines=[LINE], total="500").total == 50000


def test_quantity_times_price_stays_below_a_thousand_million_million_minor_units() -> None:
    line = {"product_id": "p", "quantity": 1_000_000}
    assert decoded("order", "captured", lines=[{**line, "unit_price": "9999999.99"}])
    refusal = refused("order", "captured", lines=[{**line, "unit_price": "10000000.00"}])
    assert refusal == ("invalid_value", "lines[0].unit_price")
    assert decoded("order", "captured", lines=[LINE] * 1000)
    assert refused("order", "captured", lines=[LINE] * 1001) == ("invalid_value", "lines")


def test_a_refund_is_read_to_four_decimals_and_its_lines_do_not_exceed_it() -> None:
    refund = decoded("order", "refunded")
    assert (refund.amount_e4, refund.lines[0].amount_e4) == (525000, 475000)
    line = {"product_id": "p", "quantity": 1, "amount": "0.0001"}
    assert decoded("order", "refunded", amount="0.0002", lines=[line, line]).amount_e4 == 2
    assert refused("order", "refunded", amount="0.0001", lines=[line, line]) == ("invalid_value", "amount")
    assert decoded("order", "refunded", lines=[]).lines == []


def test_a_goal_value_is_in_its_own_currency_else_the_stores() -> None:
    goal = decoded("session", "goal_reached", value="12.5", currency=DROP)
    assert (goal.value, goal.currency) == (1250, "EUR")
    goal = decoded("session", "goal_reached", value=12, currency=None, store_id="tokyo")
    assert (goal.value, goal.currency) == (12, "JPY")
    goal = decoded("session", "goal_reached", value=1.5, currency="KWD", store_id="tokyo")
    assert (goal.value, goal.currency) == (1500, "KWD")
    goal = decoded("journey-node", "goal_reached", value=DROP)
    assert (goal.value, goal.currency) == (None, None)
    without = {"value": DROP, "store_id": "tokyo"}
    assert refused("session", "goal_reached", **without, currency="XXX") == ("unknown_currency", "currency")
    assert (
        refused("session", "goal_reached", value=1.5, currency=DROP, store_id="tokyo")[0]
        == "amount_precision"
    )


def test_a_journey_version_is_kept_as_text() -> None:
    assert decoded("journey-node", "started", journey_version=3).journey_version == "3"
    assert decoded("journey-node", "started", journey_version="v3").journey_version == "v3"
    assert decoded_with("journey-node", "started", "journey_version", "9" * 128).journey_version == "9" * 128
    long = with_token("journey-node", "started", "journey_version", "9" * 129)
    assert refused_bytes("journey-node", long) == ("invalid_value", "journey_version")
    assert refused("journey-node", "started", journey_version=3.0) == ("wrong_type", "journey_version")


def test_a_definition_has_no_envelope_and_a_null_deletes_it() -> None:
    definition = decode_definition(json.dumps(VALID["definition", "definition"]).encode(), STORES)
    assert definition is not None
    assert definition.effective_at == 1767222000000
    assert decode_definition(None, STORES) is None
    goal = changed("definition", "definition", kind="goal", status=None, name=None, schema_version="any")
    read = decode_definition(json.dumps(goal).encode(), STORES)
    assert read is not None
    assert (read.status, read.name) == (None, None)
    with pytest.raises(Rejected, match="missing_field at status"):
        decode_definition(json.dumps({**goal, "kind": "journey"}).encode(), STORES)


def test_a_topic_without_events_is_the_callers_mistake() -> None:
    with pytest.raises(KeyError):
        decode("definition", CLICK, STORES)
