"""Time as the wire writes it, at its edges."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import instants
from schemas.instants import EARLIEST_MS, END_MS, instant_ms
from tests.schemas.records import decoded, decoded_with, refused, refused_with

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-01T10:00:00Z", 1767261600000),
        ("2026-01-01t10:00:00z", 1767261600000),
        ("2026-01-01T10:00:00.000Z", 1767261600000),
        ("2026-01-01T10:00:00.1Z", 1767261600100),
        ("2026-01-01T10:00:00.9999999Z", 1767261600999),
        ("2026-01-01T10:00:00." + "9" * 500 + "Z", 1767261600999),
        ("2026-01-01T12:00:00.001+02:00", 1767261600001),
        ("2026-01-01T04:30:00.001-05:30", 1767261600001),
        ("2026-01-01T10:00:00-00:00", 1767261600000),
        ("2024-02-29T00:00:00Z", 1709164800000),
        ("2000-01-01T00:00:00Z", EARLIEST_MS),
        ("1999-12-31T23:00:00-01:00", EARLIEST_MS),
        ("2099-12-31T23:59:59.999Z", END_MS - 1),
        ("2100-01-01T00:59:59.999+01:00", END_MS - 1),
    ],
)
def test_rfc_3339_is_read_exactly(text: str, expected: int) -> None:
    assert instant_ms(text) == expected
    assert instant_ms(text) == expected  # once parsed, once remembered
    assert decoded("click", "clicked", occurred_at=text).occurred_at == expected
    assert decoded("click", "clicked", sent_at=text).sent_at == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "Z", "2026-01-01", "2026-01-01T10:00Z", "2026-01-01T10:00:00", "2026-01-01 10:00:00Z",
        "2026-01-01T10:00:60Z", "2026-01-01T24:00:00Z", "2026-01-01T10:60:00Z", "2026-01-01T10:00:00,5Z",
        "2026-01-01T10:00:00.Z", "2026-01-01T10:00:00+0200", "2026-01-01T10:00:00+02", "2026-01-01T10:00:00+24:00",
        "2026-01-01T10:00:00+02:60", "2026-02-29T10:00:00Z", "2026-13-01T10:00:00Z", "2026-00-01T10:00:00Z",
        "0000-01-01T10:00:00Z", "+2026-01-01T10:00:00Z", "2026-1-1T10:00:00Z", "1767261600000",
        " 2026-01-01T10:00:00Z", "2026-01-01T10:00:00Z ", "2026-01-01T10:00:00Z\n", "２026-01-01T10:00:00Z",
        "1999-12-31T23:59:59.999Z", "2100-01-01T00:00:00Z", "2000-01-01T00:00:00+00:01",
    ],
)  # fmt: skip
def test_anything_else_is_an_invalid_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"instant|day|month|year|hour|minute"):
        instant_ms(text)
    assert refused("click", "clicked", occurred_at=text) == ("invalid_time", "occurred_at")
    assert refused("click", "clicked", sent_at=text) == ("invalid_time", "sent_at")


@pytest.mark.parametrize("token", [str(EARLIEST_MS), str(END_MS - 1), "1767262860000"])
def test_integer_epoch_milliseconds_are_taken_as_they_are(token: str) -> None:
    assert decoded_with("click", "clicked", "occurred_at", token).occurred_at == int(token)


@pytest.mark.parametrize(
    "token",
    [str(EARLIEST_MS - 1), str(END_MS), "1767262860", "1767262860000000", "1767262860000.0", "1767262860000.5",
     "1.76726286e12", "-1", "0", "1" * 30, "1" * 5000, "-" + "1" * 5000],
)  # fmt: skip
def test_numbers_that_are_no_epoch_milliseconds_are_an_invalid_time(token: str) -> None:
    assert refused_with("click", "clicked", "occurred_at", token) == ("invalid_time", "occurred_at")
    assert refused_with("click", "clicked", "sent_at", token) == ("invalid_time", "sent_at")


@pytest.mark.parametrize("token", ["true", "[1]", "{}"])
def test_what_is_neither_text_nor_number_has_the_wrong_type(token: str) -> None:
    assert refused_with("click", "clicked", "occurred_at", token) == ("wrong_type", "occurred_at")


@given(
    st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30)),  # noqa: DTZ001  # the zone is drawn apart
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
)
def test_any_instant_in_any_offset_is_what_the_calendar_says(naive: datetime, offset_minutes: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    assert instant_ms(moment.isoformat()) == (moment - EPOCH) // timedelta(milliseconds=1)


def test_remembered_texts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instants, "_REMEMBERED", 10)
    instants._minutes.clear()
    for minute in range(60):
        instant_ms(f"2026-01-01T10:{minute:02d}:00Z")
        assert len(instants._minutes) <= 10
    instant_ms("2026-01-01T10:00:00." + "1" * 100 + "Z")
    assert all(len(text) <= 16 for text in instants._tails)
