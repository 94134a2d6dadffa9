"""Whose an event is, and when it happened."""

import pytest

from schemas.events.clock import event_time, is_in_future
from schemas.events.person import person_id, person_key
from tests.schemas.records import DROP, decoded

AT = 1767262860000


def test_the_customer_names_the_key_else_the_device() -> None:
    assert person_key(decoded("click", "clicked", customer_id="ann", anonymous_id="d-81")) == "acme|ann"
    assert person_key(decoded("click", "clicked", customer_id=None, anonymous_id="d-81")) == "acme|d-81"


def test_a_customer_and_a_device_of_the_same_name_share_a_key_but_are_two_people() -> None:
    customer = decoded("click", "clicked", customer_id="x")
    device = decoded("click", "clicked", customer_id=DROP, anonymous_id="x")
    assert person_key(customer) == person_key(device)
    assert (person_id(customer), person_id(device)) == ("c:x", "a:x")
    assert person_id(decoded("click", "clicked", customer_id="x", anonymous_id="y")) == "c:x"


@pytest.mark.parametrize("kind", ["canceled", "refunded"])
def test_cancels_and_refunds_belong_to_their_order_whoever_they_name(kind: str) -> None:
    nobody = decoded("order", kind, customer_id=DROP, anonymous_id=DROP)
    assert (person_key(nobody), person_id(nobody)) == ("acme|order:o-9", None)
    somebody = decoded("order", kind, customer_id="bob")
    assert (person_key(somebody), person_id(somebody)) == ("acme|order:o-9", "c:bob")


@pytest.mark.parametrize(
    ("sent_at", "record_ms", "expected"),
    [
        (None, AT + 10**9, AT),
        (AT, None, AT),
        (AT, -1, AT),
        (AT, AT + 60_000, AT),
        (AT, AT - 60_000, AT),
        (AT, AT + 60_001, AT + 60_001),
        (AT, AT - 60_001, AT - 60_001),
        (AT + 5_000, AT + 3_605_000, AT + 3_600_000),
    ],
)
def test_a_device_clock_over_a_minute_off_is_corrected(
    sent_at: int | None, record_ms: int | None, expected: int
) -> None:
    assert event_time(decoded("click", "clicked", occurred_at=AT, sent_at=sent_at), record_ms) == expected


@pytest.mark.parametrize(
    ("lead_ms", "record_ms", "expected"),
    [(600_000, AT, False), (600_001, AT, True), (-1, AT, False), (10**12, None, False), (10**12, -1, False)],
)
def test_ten_minutes_ahead_is_accepted_and_a_millisecond_more_is_not(
    lead_ms: int, record_ms: int | None, expected: bool
) -> None:
    assert is_in_future(AT + lead_ms, record_ms) is expected
