"""Bytes that are no JSON, JSON that is no event, envelopes that lie, and things that only look wrong."""

from collections.abc import Iterator
from typing import Final

from tests.corpus.kind import DROP, ID, NOW, TEST, WHO, Kind, body, dead, fine, one_line, text

CLICK: Final = text("click", "clicked")
SIZE: Final = 256 * 1024


def kinds() -> Iterator[Kind]:
    """All of them."""
    yield from _bytes()
    yield from _documents()
    yield from _envelopes()
    yield from _times()
    yield from _meaning()
    yield from _only_odd()


def _bytes() -> Iterator[Kind]:
    malformed: dict[str, bytes | None] = {
        "no value at all": None,
        "empty": b"",
        "one byte": b"{",
        "a space": b" ",
        "a zero byte": b"\x00",
        "invalid UTF-8": CLICK.encode().replace(b"p1", b"p\xff"),
        "invalid UTF-8 where nobody reads": CLICK[:-1].encode() + b',"x":"\xc3\x28"}',
        "an overlong NUL": CLICK.encode().replace(b"p1", b"\xc0\x80"),
        "a surrogate in UTF-8": CLICK.encode().replace(b"p1", b"\xed\xa0\x80"),
        "UTF-16": CLICK.encode("utf-16"),
        "UTF-16 without a mark": CLICK.encode("utf-16-le"),
        "UTF-8 with a byte order mark": b"\xef\xbb\xbf" + CLICK.encode(),
        "half a surrogate pair": CLICK.replace("p1", "\\ud800").encode(),
        "the other half": CLICK.replace("p1", "\\udc00").encode(),
        "a NUL raw in text": CLICK.replace("p1", "p\x00").encode(),
        "a tab raw in text": CLICK.replace("p1", "p\t").encode(),
        "a newline raw in text": CLICK.replace("p1", "p\n").encode(),
        "a bad escape": CLICK.replace("p1", "\\x41").encode(),
        "cut in the middle": CLICK[: len(CLICK) // 2].encode(),
        "cut by its last byte": CLICK[:-1].encode(),
        "garbage behind": CLICK.encode() + b"!",
        "two documents": CLICK.encode() + CLICK.encode(),
        "two lines": CLICK.encode() + b"\n" + CLICK.encode(),
        "single quotes": CLICK.replace('"', "'").encode(),
        "a comma too many": CLICK[:-1].encode() + b",}",
        "a comment": b"/* */" + CLICK.encode(),
        "NaN": body("order", "captured", total="NaN"),
        "Infinity": body("order", "captured", total="Infinity"),
        "-Infinity": body("order", "captured", total="-Infinity"),
        "NaN where nobody reads": CLICK[:-1].encode() + b',"x":NaN}',
        "a leading zero": body("cart", "added", quantity="01"),
        "a plus": body("cart", "added", quantity="+1"),
        "hexadecimal": body("cart", "added", quantity="0x10"),
        "True": body("session", "started", is_test="True"),
        "100,000 levels": b"[" * 100_000,
        "401 levels where nobody reads": CLICK[:-1].encode() + b',"x":' + b"[" * 401 + b"]" * 401 + b"}",
        "900 levels where nobody reads": CLICK[:-1].encode() + b',"x":' + b"[" * 900 + b"]" * 900 + b"}",
        "protobuf": b"\x0a\x04acme\x10\x96\x01",
        "gzip": b"\x1f\x8b\x08\x00" + bytes(40),
        "avro with a schema id": b"\x00\x00\x00\x00\x07" + CLICK.encode(),
        "a form": b"store_id=acme&type=clicked",
    }
    for name, value in malformed.items():
        topic = "order" if b"captured" in (value or b"") else "click"
        if value is not None and b'"added"' in value:
            topic = "cart"
        yield dead(f"bytes: {name}", "session" if name == "True" else topic, value, "malformed_json")
    for name, padding in (("spaces", b" "), ("text", b"x")):
        value = CLICK.encode() + padding * (SIZE + 1)
        yield dead(f"bytes: 256 KiB and more, {name}", "click", value, "too_large")
    yield dead("bytes: a text of 900 kB", "click", CLICK.replace("p1", "x" * 900_000).encode(), "too_large")
    yield dead("bytes: no JSON, and too large", "click", b"\xff" * (SIZE + 1), "too_large")
    yield dead("bytes: zeros that were compressed well", "cart", bytes(700_000), "too_large")


def _documents() -> Iterator[Kind]:
    for name, value in {
        "a list": f"[{CLICK}]",
        "an empty list": "[]",
        "a text": '"clicked"',
        "a number": "42",
        "true": "true",
        "null": "null",
        "events in a batch": f"[{CLICK},{CLICK}]",
    }.items():
        yield dead(f"document: {name}", "click", value.encode(), "not_an_object")
    yield dead("document: an empty object", "click", b"{}", "missing_field", "store_id")
    yield dead("document: wrapped", "click", f'{{"event":{CLICK}}}'.encode(), "missing_field", "store_id")
    yield dead("document: stringified", "click", b'"{\\"store_id\\":\\"acme\\"}"', "not_an_object")


def _envelopes() -> Iterator[Kind]:
    def click(name: str, reason: str, field: str, **tokens: str) -> Kind:
        return dead(f"envelope: {name}", "click", body("click", "clicked", **tokens), reason, field)

    for what, token in {"2": "2", "2^63": "9223372036854775808", "30 digits": "9" * 30}.items():
        yield click(f"version {what}", "unknown_version", "schema_version", schema_version=token)
    yield click(
        "a later version of other fields",
        "unknown_version",
        "schema_version",
        schema_version="3",
        product_id=DROP,
    )
    yield click("version 0", "invalid_value", "schema_version", schema_version="0")
    yield click("version -1", "invalid_value", "schema_version", schema_version="-1")
    yield click("version as text", "wrong_type", "schema_version", schema_version='"1"')
    yield click("version 1.0", "wrong_type", "schema_version", schema_version="1.0")
    for what, (token, reason) in {
        "left out": (DROP, "missing_field"),
        "null": ("null", "missing_field"),
        "a number": ("1", "wrong_type"),
        "empty": ('""', "invalid_value"),
        "too long": ('"' + "a" * 65 + '"', "invalid_value"),
        "with a slash": ('"acme/../tokyo"', "invalid_value"),
        "with a quote": ('"a\' OR 1=1 --"', "invalid_value"),
        "with a bar": ('"acme|x"', "invalid_value"),
        "with a space": ('"acme "', "invalid_value"),
        "with a newline": ('"acme\\n"', "invalid_value"),
        "of another alphabet": ('"аcme"', "invalid_value"),
        "unheard of": ('"nobody"', "unknown_store"),
        "in another case": ('"ACME"', "unknown_store"),
        "of 64 characters": ('"' + "a" * 64 + '"', "unknown_store"),
    }.items():
        yield click(f"store {what}", reason, "store_id", store_id=token)
    for what, (token, reason) in {
        "left out": (DROP, "missing_field"),
        "null": ("null", "missing_field"),
        "a number": ("1", "wrong_type"),
        "empty": ('""', "unknown_type"),
        "unheard of": ('"sniffed"', "unknown_type"),
        "in another case": ('"Clicked"', "unknown_type"),
        "of another topic": ('"captured"', "unknown_type"),
        "with a NUL": ('"clicked\\u0000"', "unknown_type"),
    }.items():
        yield click(f"type {what}", reason, "type", type=token)
    yield click("nobody", "missing_field", "customer_id", anonymous_id=DROP)
    yield click("nobody, in nulls", "missing_field", "customer_id", anonymous_id="null", customer_id="null")
    identified = "identified"
    for name in ("customer_id", "anonymous_id"):
        value = body("session", identified, **{name: DROP})
        yield dead(f"envelope: identified without {name}", "session", value, "missing_field", name)
    yield click("context a list", "wrong_type", "context", context="[]")
    yield click("context a text", "wrong_type", "context", context='"mobile"')
    for name in ("device", "country", "locale", "page"):
        yield click(f"context.{name} a number", "wrong_type", f"context.{name}", context=f'{{"{name}":1}}')
    # Of several things that are wrong the first is told, in the contract's order.
    yield click(
        "version before store", "unknown_version", "schema_version", store_id='"nobody"', schema_version="9"
    )
    yield click("store before type", "unknown_store", "store_id", store_id='"nobody"', type='"sniffed"')
    yield click("type before the envelope", "unknown_type", "type", event_id=DROP, type='"sniffed"')
    yield click(
        "envelope before the type's fields", "missing_field", "event_id", event_id=DROP, product_id="7"
    )
    yield click("invalid test traffic", "wrong_type", "product_id", is_test="true", product_id="7")
    yield click(
        "a member twice, the last one wrong", "wrong_type", "product_id", product_id='"p1","product_id":7'
    )


def _times() -> Iterator[Kind]:
    invalid = {
        "zero": "0",
        "negative": "-1",
        "seconds": "1767262860",
        "microseconds": "1767262860000000",
        "nanoseconds": "1767262860000000000",
        "the last ms of 1999": "946684799999",
        "the first ms of 2100": "4102444800000",
        "30 digits": "1" * 30,
        "with a fraction": "1767262860000.5",
        "with an exponent": "1.7672628e12",
        "1969": '"1969-12-31T23:59:59Z"',
        "9999": '"9999-12-31T23:59:59Z"',
        "2106, where 32 bits end": '"2106-02-07T06:28:16Z"',
        "no offset": '"2026-01-01T10:00:00"',
        "a date": '"2026-01-01"',
        "empty": '""',
        "integer text": '"1767262860000"',
        "a space for the T": '"2026-01-01 10:00:00Z"',
        "second 60": '"2026-06-30T23:59:60Z"',
        "hour 24": '"2026-01-01T24:00:00Z"',
        "a decimal comma": '"2026-01-01T10:00:00,5Z"',
        "month 13": '"2026-13-01T00:00:00Z"',
        "February 30": '"2026-02-30T00:00:00Z"',
        "an offset of 25 hours": '"2026-01-01T00:00:00+25:00"',
        "an offset without a colon": '"2026-01-01T00:00:00+0100"',
        "a zone's name": '"2026-01-01T00:00:00[Europe/Madrid]"',
        "English": '"Thu, 01 Jan 2026 10:00:00 GMT"',
        "Arabic digits": '"٢٠٢٦-01-01T10:00:00Z"',
        "a week": '"2026-W01-4T10:00:00Z"',
    }
    for name, token in invalid.items():
        value = body("click", "clicked", occurred_at=token)
        yield dead(f"time: {name}", "click", value, "invalid_time", "occurred_at")
    for name, token in {"a boolean": "true", "a list": "[1]", "an object": '{"$date":1}'}.items():
        value = body("click", "clicked", occurred_at=token)
        yield dead(f"time: {name}", "click", value, "wrong_type", "occurred_at")
    for name, token in {"left out": DROP, "null": "null"}.items():
        value = body("click", "clicked", occurred_at=token)
        yield dead(f"time: {name}", "click", value, "missing_field", "occurred_at")
    for name in ("seconds", "no offset", "1969"):
        value = body("click", "clicked", sent_at=invalid[name])
        yield dead(f"sent_at: {name}", "click", value, "invalid_time", "sent_at")
    yield dead(
        "sent_at: a boolean", "click", body("click", "clicked", sent_at="true"), "wrong_type", "sent_at"
    )


def _meaning() -> Iterator[Kind]:
    def order(name: str, reason: str, field: str, **tokens: str) -> Kind:
        return dead(f"order: {name}", "order", body("order", "captured", **tokens), reason, field)

    yield order(
        "discount over the price", "invalid_value", "lines[0].discount", lines=one_line(discount="10.01")
    )
    yield order("total under shipping", "invalid_value", "total", shipping="10.01")
    yield order("total under shipping and tax", "invalid_value", "total", shipping="5", tax="5.01")
    yield order(
        "decimals in JPY",
        "amount_precision",
        "lines[0].unit_price",
        currency='"JPY"',
        lines=one_line(unit_price="5.50"),
    )
    yield order("four decimals in KWD", "amount_precision", "total", currency='"KWD"', total="10.0001")
    yield order(
        "a line of 10^15", "invalid_value", "lines[0].unit_price",
        lines=one_line(quantity="1000000", unit_price="9999999999.99"),
    )  # fmt: skip
    many = "[" + ",".join([one_line()[1:-1]] * 1001) + "]"
    yield order("1,001 lines", "invalid_value", "lines", lines=many)
    yield order("a line that is a list", "wrong_type", "lines[0]", lines="[[]]")
    yield order("a line that is null", "wrong_type", "lines[1]", lines=one_line()[:-1] + ",null]")
    products = "[" + ",".join(['{"product_id":"p"}'] * 201) + "]"
    value = body("impression", "shown", products=products)
    yield dead("impression of 201 products", "impression", value, "invalid_value", "products")
    value = body("order", "refunded", lines='[{"product_id":"p","quantity":1,"amount":1.01}]')
    yield dead("refund's lines over its amount", "order", value, "invalid_value", "amount")
    value = body("session", "goal_reached", value="1.5", currency='"JPY"')
    yield dead("goal of half a yen", "session", value, "amount_precision", "value")
    value = body("session", "goal_reached", value="1.005")
    yield dead("goal of half a cent, by the store's currency", "session", value, "amount_precision", "value")
    value = body("click", "clicked", occurred_at=f"{NOW}0")
    yield dead("a time of ten times too many digits", "click", value, "invalid_time", "occurred_at")


def _only_odd() -> Iterator[Kind]:
    def odd(name: str, topic: str = "click", kind: str = "clicked", **tokens: str) -> Kind:
        return fine(f"odd: {name}", topic, body(topic, kind, **tokens))

    yield fine("odd: spaces around", "click", f" \n{CLICK}\t ".encode())
    yield fine("odd: exactly 256 KiB", "click", CLICK.encode() + b" " * (SIZE - 400))
    yield fine(
        "odd: 300 levels where nobody reads",
        "click",
        CLICK[:-1].encode() + b',"x":' + b"[" * 300 + b"]" * 300 + b"}",
    )
    yield fine(
        "odd: 10,000 unknown fields",
        "click",
        (CLICK[:-1] + "".join(f',"f{n}":{n}' for n in range(10_000)) + "}").encode(),
    )
    yield fine(
        "odd: huge numbers where nobody reads",
        "click",
        CLICK[:-1].encode() + b',"x":1e999,"y":' + b"9" * 999 + b"}",
    )
    yield odd("a member twice, the last one right", product_id='7,"product_id":"p1"')
    yield odd("SQL in an id", product_id='"\'; DROP TABLE orders; --"')
    yield odd("HTML in an id", product_id='"<script>alert(1)</script>"')
    yield odd("a path in an id", product_id='"../../etc/passwd"')
    yield odd("NUL in an escape", product_id='"p\\u0000"')
    yield odd("only spaces", product_id='"   "')
    yield odd("a formula", product_id='"=1+1"')
    yield odd("right to left", product_id='"\\u202ep1"')
    yield odd("an emoji in a pair of escapes", product_id='"\\ud83d\\ude00"')
    yield odd("an emoji as it is", product_id='"😀"')
    yield odd("NFC and NFD", product_id='"e\\u0301"')
    yield odd("a bar in a person", customer_id=f'"a|b-{WHO}"')
    yield odd("customer and device of one id", customer_id=f'"{WHO}"')
    yield odd("an empty context", context="{}")
    yield odd("unknown context members of any type", context='{"ip":1,"device":null,"tags":[]}')
    yield odd("an empty channel", channel='""')
    yield odd("version 1", schema_version="1")
    yield odd("a session before it has started", session_id=f'"s-{WHO}"')
    yield odd("a time in text, lower case", occurred_at=NOW, sent_at=NOW)
    yield odd("a refund of an order nobody knows", "order", "refunded")
    yield odd("a cancel of an order nobody knows", "order", "canceled", anonymous_id=f'"{WHO}"')
    yield odd("a journey node after its end", "journey-node", "node_entered", node_type='"end"')
    yield odd("an order of nothing", "order", "captured", lines=one_line(unit_price="0"), total="0")
    yield odd("-0 for a price", "order", "captured", lines=one_line(unit_price="-0"), total="0.00")
    yield odd("trailing zeros", "order", "captured", total='"10.000000"')
    yield odd("1e1 for 10", "order", "captured", total="1e1")
    yield odd("a total that is not the sum", "order", "captured", total="3.33")
    yield odd("a total above the sum", "order", "captured", total="99.99")
    yield odd(
        "no decimals in JPY",
        "order",
        "captured",
        currency='"JPY"',
        lines=one_line(unit_price="5"),
        total="10",
    )
    yield odd("three decimals in KWD", "order", "captured", currency='"KWD"', total="10.001")
    yield odd("the largest amount", "order", "captured", total="9999999999999.99", lines=one_line())
    yield odd(
        "1,000 lines",
        "order",
        "captured",
        lines="[" + ",".join([one_line()[1:-1]] * 1000) + "]",
        total="10000",
    )
    yield odd(
        "an impression of 200 products",
        "impression",
        "shown",
        products="[" + ",".join(['{"product_id":"p"}'] * 200) + "]",
    )
    yield odd("a version of the journey as integer", "journey-node", "started", journey_version="7")
    for topic, kind in (("click", "clicked"), ("order", "captured"), ("session", "started")):
        yield fine(f"odd: test traffic, {kind}", topic, body(topic, kind, is_test="true"), TEST)
    yield fine(
        "odd: identified with both ids",
        "session",
        body("session", "identified", anonymous_id=f'"{WHO}"', customer_id=f'"c-{ID}"'),
    )
