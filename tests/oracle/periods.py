"""The seven periods and what each is compared with, in store time (metrics.md section 6, H101 to H103)."""

from dataclasses import dataclass
from datetime import date, timedelta

from tests.oracle.calendar import date_of, instant, last_of_month, local, month_start

DAY = timedelta(days=1)
ROLLING = {"last_7_days": 7, "last_14_days": 14, "last_30_days": 30}
NAMES = ("today", "yesterday", *ROLLING, "month_to_date", "custom")


@dataclass(frozen=True)
class Span:
    """Store dates, both included, and the instants [start, end) in epoch ms."""

    first: date
    last: date
    start: int
    end: int


@dataclass(frozen=True)
class Period:
    """A resolved period. `empty`: no dates at all, `current` and `previous` are None (H103)."""

    current: Span | None
    previous: Span | None
    clamped: bool = False

    @property
    def empty(self) -> bool:
        """Every value is null."""
        return self.current is None


def resolve_period(
    name: str,
    zone: str,
    as_of: int,
    *,
    first: date | None = None,
    last: date | None = None,
    literal: bool = False,
    shift: bool = False,
) -> Period:
    """`first` and `last`: of `custom`. `literal`: 8, 15 and 31 days. `shift`: always the days just before."""
    today = date_of(as_of, zone)
    if name == "today":
        first = last = today
    elif name == "yesterday":
        first = last = today - DAY
    elif name in ROLLING:
        last = today - DAY
        first = today - (ROLLING[name] + literal) * DAY
    elif name == "month_to_date":
        first, last = month_start(today), today - DAY
        if last < first:
            return Period(None, None)  # E: on the 1st there is nothing yet, and never a reversed range
        if not shift:
            return _month_to_date(first, last, zone)
    assert first
    assert last
    if first > last:
        raise ValueError(f"from {first} is after to {last}")
    if first > today:
        return Period(None, None)
    last = min(last, today)
    days = last - first + DAY
    before = first - days, last - days
    if last < today:
        return Period(_days(first, last, zone), _days(*before, zone))
    # It reaches into today: cut at as_of, and the day before it at the same local clock time (H101, H102).
    clock = local(as_of, zone).time()
    return Period(
        Span(first, last, instant(first, zone), as_of),
        Span(*before, instant(before[0], zone), instant(before[1], zone, clock)),
    )


def _days(first: date, last: date, zone: str) -> Span:
    return Span(first, last, instant(first, zone), instant(last + DAY, zone))


def _month_to_date(first: date, last: date, zone: str) -> Period:
    """The same days of the month before, or as many of them as it has."""
    month = month_start(first - DAY)
    until = min(last.day, last_of_month(month).day)
    return Period(
        _days(first, last, zone), _days(month, month.replace(day=until), zone), clamped=until < last.day
    )
