"""Records of the dead-letter topic as rows, byte for byte."""

from collections.abc import Sequence
from typing import Any

import pytest

from schemas.rows import DeadLetterRow
from schemas.tables import month_of
from sinks.dead_letters import dead_letter_row
from sinks.wire import WIRE_TABLES
from tests.sinks.making import FEBRUARY, JANUARY, JANUARY_MS, encode

OURS = [
    ("dlq_reason", b"wrong_type"),
    ("dlq_field", "lines[0].größe".encode()),
    ("dlq_topic", b"order"),
    ("dlq_partition", b"3"),
    ("dlq_offset", b"1234"),
    ("dlq_first_seen", b"1767300000000"),
    ("dlq_store", b"acme"),
]
NUMBERS = ("dlq_partition", "dlq_offset", "dlq_first_seen")
RAW = b'{"store_id": "\xff"}'


def record(headers: Sequence[tuple[str, bytes | None]], **changes: Any) -> DeadLetterRow:
    fields = {"partition": 7, "offset": 99, "timestamp": JANUARY_MS + 5, "key": b"acme|\x00", "value": RAW}
    return dead_letter_row(**{**fields, **changes}, headers=headers)


def test_headers_say_where_it_was_read_and_the_rest_is_the_record_s_own() -> None:
    row = record([*OURS, ("ce_id", b"1"), ("dlq_reason", b"of an earlier life")])
    assert row == DeadLetterRow(
        "order", 3, 1234, JANUARY, JANUARY_MS + 5, 1767300000000, "wrong_type", "lines[0].größe", "acme",
        b"acme|\x00", RAW, ["ce_id", "dlq_reason"], [b"1", b"of an earlier life"], 1, 0,
    )  # fmt: skip


@pytest.mark.parametrize(
    "headers", [[], [("ce_id", b"1")], OURS[:-1], [*OURS[:3], ("dlq_partition", b"x"), *OURS[4:]]]
)
def test_a_foreign_record_is_kept_under_its_own_coordinates(headers: list[tuple[str, bytes]]) -> None:
    row = record(headers)
    assert (row.reason, row.topic, row.partition, row.offset) == ("foreign", "dead-letter", 7, 99)
    assert list(zip(row.header_names, row.header_values, strict=True)) == headers


@pytest.mark.parametrize(
    "headers",
    [[("dlq_reason", None)], *([(n, None if n == name else v) for n, v in OURS] for name in NUMBERS)],
)
def test_a_null_header_ends_no_sink(headers: list[tuple[str, bytes | None]]) -> None:
    row = record(headers)
    assert (row.reason, row.topic, row.partition, row.offset) == ("foreign", "dead-letter", 7, 99)
    assert row.header_names == [name for name, _ in headers]
    assert row.header_values == [content or b"" for _, content in headers]


def test_a_null_text_is_empty() -> None:
    row = record([(name, None if name == "dlq_store" else content) for name, content in OURS])
    assert (row.reason, row.store_id, row.topic, row.offset) == ("wrong_type", "", "order", 1234)


@pytest.mark.parametrize("timestamp", [-1, 0, 2**62])
def test_any_timestamp_and_missing_parts_fit_the_table(timestamp: int) -> None:
    row = record([], timestamp=timestamp, key=None, value=None)
    assert WIRE_TABLES["dead_letters"].check(encode(row)).key == ("dead-letter", 7, 99)


def test_months_are_utc() -> None:
    assert [month_of(JANUARY + day) for day in (0, 30, 31)] == [JANUARY, JANUARY, FEBRUARY]
    assert month_of(JANUARY - 1) == JANUARY - 31
