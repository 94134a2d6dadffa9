"""Periods in store time, against the table of the contract and against clocks that change."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from dashboard.periods import Clock, Compare, Convention, Period, PeriodError, Resolved, Span, resolve


def ms(text: str, zone: str = "UTC") -> int:
    """Epoch ms of a local clock time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def days(span: Span | None) -> tuple[str, str] | None:
    return None if span is None else (span.first.isoformat(), span.last.isoformat())


# today = Wednesday 2024-01-24, as the contract works it out
WEDNESDAY = ms("2024-01-24T15:30", "Europe/Madrid")
TABLE = {
    Period.TODAY: (("2024-01-24", "2024-01-24"), ("2024-01-23", "2024-01-23")),
    Period.YESTERDAY: (("2024-01-23", "2024-01-23"), ("2024-01-22", "2024-01-22")),
    Period.LAST_7_DAYS: (("2024-01-17", "2024-01-23"), ("2024-01-10", "2024-01-16")),
    Period.LAST_14_DAYS: (("2024-01-10", "2024-01-23"), ("2023-12-27", "2024-01-09")),
    Period.LAST_30_DAYS: (("2023-12-25", "2024-01-23"), ("2023-11-25", "2023-12-24")),
    Period.MONTH_TO_DATE: (("2024-01-01", "2024-01-23"), ("2023-12-01", "2023-12-23")),
}


@pytest.mark.parametrize("period", TABLE)
def test_the_table_of_the_contract(period: Period) -> None:
    found = resolve(period, as_of=WEDNESDAY, zone="Europe/Madrid")
    assert (days(found.current), days(found.previous)) == TABLE[period]
    assert not found.comparison_clamped


@pytest.mark.parametrize(
    ("period", "first", "length"),
    [
        (Period.LAST_7_DAYS, "2024-01-16", 8),
        (Period.LAST_14_DAYS, "2024-01-09", 15),
        (Period.LAST_30_DAYS, "2023-12-24", 31),
        (Period.YESTERDAY, "2024-01-23", 1),
    ],
)
def test_the_literal_reading_has_a_day_more(period: Period, first: str, length: int) -> None:
    found = resolve(period, as_of=WEDNESDAY, zone="UTC", convention=Convention.LITERAL)
    assert found.current is not None
    assert found.previous is not None
    assert (days(found.current), len(found.current.days)) == ((first, "2024-01-23"), length)
    assert (len(found.previous.days), found.previous.end) == (length, found.current.start)


def test_today_is_cut_and_so_is_the_day_before_it() -> None:
    found = resolve(Period.TODAY, as_of=WEDNESDAY, zone="Europe/Madrid")
    assert found.current == Span(
        date(2024, 1, 24), date(2024, 1, 24), ms("2024-01-24T00:00", "Europe/Madrid"), WEDNESDAY, is_cut=True
    )
    assert found.previous is not None
    assert found.previous.end == ms("2024-01-23T15:30", "Europe/Madrid")


def test_month_to_date_on_the_first_is_empty() -> None:
    assert resolve(Period.MONTH_TO_DATE, as_of=ms("2026-03-01T12:00"), zone="UTC") == Resolved(None, None)


def test_month_to_date_on_the_31st_of_march_is_clamped() -> None:
    found = resolve(Period.MONTH_TO_DATE, as_of=ms("2026-03-31T12:00"), zone="UTC")
    assert days(found.current) == ("2026-03-01", "2026-03-30")
    assert (days(found.previous), found.comparison_clamped) == (("2026-02-01", "2026-02-28"), True)
    leap = resolve(Period.MONTH_TO_DATE, as_of=ms("2024-03-30T12:00"), zone="UTC")
    assert (days(leap.previous), leap.comparison_clamped) == (("2024-02-01", "2024-02-29"), False)
    shifted = resolve(Period.MONTH_TO_DATE, as_of=ms("2026-03-31T12:00"), zone="UTC", compare=Compare.SHIFT)
    assert (days(shifted.previous), shifted.comparison_clamped) == (("2026-01-30", "2026-02-28"), False)


def custom(first: str, last: str, as_of: str = "2024-01-24T15:30", zone: str = "UTC") -> Resolved:
    return resolve(
        Period.CUSTOM,
        as_of=ms(as_of, zone),
        zone=zone,
        first=date.fromisoformat(first),
        last=date.fromisoformat(last),
    )


def test_a_range_beyond_today_ends_today_and_both_sides_are_cut() -> None:
    found = custom("2024-01-22", "2024-02-10")
    assert (days(found.current), days(found.previous)) == (
        ("2024-01-22", "2024-01-24"),
        ("2024-01-19", "2024-01-21"),
    )
    assert found.current is not None
    assert found.previous is not None
    assert (found.current.end, found.previous.end) == (ms("2024-01-24T15:30"), ms("2024-01-21T15:30"))


def test_a_range_in_the_future_is_empty_and_a_reversed_one_an_error() -> None:
    assert custom("2024-01-25", "2024-01-26").empty_period
    with pytest.raises(PeriodError, match="swap"):
        custom("2024-01-02", "2024-01-01")
    with pytest.raises(
        PeriodError, match="no event is older than 1999-12-31, and the range begins on 0001-01-01"
    ):
        custom("0001-01-01", "2024-01-02")
    with pytest.raises(PeriodError, match="from and to"):
        resolve(Period.CUSTOM, as_of=WEDNESDAY, zone="UTC")
    with pytest.raises(PeriodError, match="for no other"):
        resolve(Period.TODAY, as_of=WEDNESDAY, zone="UTC", first=date(2024, 1, 1), last=date(2024, 1, 2))


def test_today_of_a_store_that_nothing_ever_came_to_is_a_day_of_1970() -> None:
    assert days(resolve(Period.TODAY, as_of=0, zone="UTC").current) == ("1970-01-01", "1970-01-01")
    assert days(custom("1999-12-31", "2000-01-01").current) == ("1999-12-31", "2000-01-01")


def test_days_of_23_and_25_hours() -> None:
    for day, hours in (("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)):
        span = custom(day, day, "2026-12-01T00:00", "Europe/Madrid").current
        assert span is not None
        assert (span.end - span.start) / 3_600_000 == hours


def test_a_clock_time_that_does_not_exist_is_read_with_the_offset_before_the_gap() -> None:
    # 30 March 02:30 in Madrid is compared with the 29th, whose clocks go from 02:00 to 03:00.
    found = resolve(Period.TODAY, as_of=ms("2026-03-30T02:30", "Europe/Madrid"), zone="Europe/Madrid")
    assert found.previous is not None
    assert found.previous.end == ms("2026-03-29T01:30")  # 02:30 at +01:00
    # 26 October 02:30 with the 25th, which has that time twice: the first.
    found = resolve(Period.TODAY, as_of=ms("2026-10-26T02:30", "Europe/Madrid"), zone="Europe/Madrid")
    assert found.previous is not None
    assert found.previous.end == ms("2026-10-25T00:30")


@pytest.mark.parametrize(
    ("zone", "day", "start"),
    [
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00"),  # midnight does not exist: 00:00 -> 01:00
        ("America/Asuncion", "2024-10-06", "2024-10-06T04:00"),
        ("America/Havana", "2026-11-01", "2026-11-01T04:00"),  # 01:00 -> 00:00: midnight is there twice
        ("Asia/Kathmandu", "2026-01-01", "2025-12-31T18:15"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00"),  # the zone skipped this day
    ],
)
def test_a_day_begins_at_its_first_instant(zone: str, day: str, start: str) -> None:
    found = Clock(zone).start(date.fromisoformat(day))
    assert datetime.fromtimestamp(found / 1000, tz=UTC).isoformat() == f"{start}:00+00:00"
