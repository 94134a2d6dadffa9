"""Which days a period means, in store time, and which days it is compared with (metrics section 6). Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from schemas.instants import EARLIEST_MS

_DAY: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
# Clocks change by at most this, at a quarter of an hour: where a day's midnight is no plain instant it is searched.
_QUARTER: Final = timedelta(minutes=15)
_SEARCH_QUARTERS: Final = 4 * 26


class Period(StrEnum):
    """What a report may be asked for."""

    TODAY = "today"
    YESTERDAY = "yesterday"
    LAST_7_DAYS = "last_7_days"
    LAST_14_DAYS = "last_14_days"
    LAST_30_DAYS = "last_30_days"
    MONTH_TO_DATE = "month_to_date"
    CUSTOM = "custom"


class Convention(StrEnum):
    """What "last 7 days" means: 7 days that end yesterday, or from the eighth day before today as the seeds say."""

    NAMED = "named"
    LITERAL = "literal"


class Compare(StrEnum):
    """What a month to date is compared with: the same days of the month before, or as many days just before."""

    CALENDAR = "calendar"
    SHIFT = "shift"


class PeriodError(ValueError):
    """The asked period can't be. The message says what to ask instead."""


@dataclass(frozen=True, slots=True)
class Span:
    """Store dates `first` to `last`, both included, and their instants `[start, end)` in epoch ms."""

    first: date
    last: date
    start: int
    end: int
    is_cut: bool = False
    """It ends within its last day: dates alone do not tell what lies in it."""

    @property
    def days(self) -> tuple[date, ...]:
        """Every date, ascending."""
        return tuple(self.first + n * _DAY for n in range((self.last - self.first).days + 1))


@dataclass(frozen=True, slots=True)
class Resolved:
    """A period with its dates. `current` is None for an empty period, and then `previous` too."""

    current: Span | None
    previous: Span | None
    comparison_clamped: bool = False
    """The month before is shorter: its last days are missing."""

    @property
    def empty_period(self) -> bool:
        """No day lies in it: month to date on the 1st, or a range in the future."""
        return self.current is None


EMPTY: Final = Resolved(None, None)
EARLIEST: Final = (_EPOCH + EARLIEST_MS * _MILLISECOND).date() - _DAY
"""H06: an event of before 2000, in UTC, is refused. Calendars end, and a range is compared with the days before it."""
_LENGTHS: Final = {Period.LAST_7_DAYS: 7, Period.LAST_14_DAYS: 14, Period.LAST_30_DAYS: 30}


def resolve(
    period: Period,
    *,
    as_of: int,
    zone: str,
    first: date | None = None,
    last: date | None = None,
    convention: Convention = Convention.NAMED,
    compare: Compare = Compare.CALENDAR,
) -> Resolved:
    """The dates and instants of a period at `as_of` (epoch ms); `first` and `last` belong to `custom`. PeriodError."""
    if (period is Period.CUSTOM) != (first is not None and last is not None) or (first is None) != (
        last is None
    ):
        raise PeriodError("give from and to for a custom period, and for no other")
    clock = Clock(zone)
    today = clock.day(as_of)
    if first is not None and last is not None:
        if first < EARLIEST:
            # Not of `today`: a store that nothing ever came to is at 1970.
            raise PeriodError(
                f"no event is older than {EARLIEST}, and the range begins on {first}; begin there"
            )
        return _custom(first, last, today, as_of, clock)
    if period is Period.TODAY:
        return _custom(today, today, today, as_of, clock)
    yesterday = today - _DAY
    if period is Period.MONTH_TO_DATE:
        return _month_to_date(yesterday, today, clock, compare)
    days = 1 if period is Period.YESTERDAY else _LENGTHS[period]
    if convention is Convention.LITERAL and period is not Period.YESTERDAY:
        days += 1
    start = today - days * _DAY
    return Resolved(clock.span(start, yesterday), clock.span(start - days * _DAY, start - _DAY))


def _custom(first: date, last: date, today: date, as_of: int, clock: "Clock") -> Resolved:
    if first > last:
        raise PeriodError(f"the range ends ({last}) before it begins ({first}); swap from and to")
    last = min(last, today)
    if first > last:
        return EMPTY
    days = (last - first).days + 1
    current = clock.span(first, last)
    previous = clock.span(first - days * _DAY, first - _DAY)
    if last == today:
        # Like with like: the last of the days before ends at the same clock time (E31, H101).
        current = Span(first, last, current.start, as_of, is_cut=True)
        cut = clock.instant(previous.last, clock.time_of(as_of))
        previous = Span(
            previous.first,
            previous.last,
            previous.start,
            max(clock.start(previous.last), min(cut, previous.end)),
            is_cut=True,
        )
    return Resolved(current, previous)


def _month_to_date(yesterday: date, today: date, clock: "Clock", compare: Compare) -> Resolved:
    if today.day == 1:
        return EMPTY
    first = today.replace(day=1)
    current = clock.span(first, yesterday)
    if compare is Compare.SHIFT:
        days = yesterday.day
        return Resolved(current, clock.span(first - days * _DAY, first - _DAY))
    last_of_before = first - _DAY
    last = last_of_before.replace(day=min(yesterday.day, last_of_before.day))
    return Resolved(
        current, clock.span(last.replace(day=1), last), comparison_clamped=last.day < yesterday.day
    )


class Clock:
    """A store's wall clock."""

    def __init__(self, zone: str) -> None:
        self._zone = ZoneInfo(zone)

    def local(self, instant: int) -> datetime:
        """The wall clock at an instant (epoch ms)."""
        return (_EPOCH + instant * _MILLISECOND).astimezone(self._zone)

    def day(self, instant: int) -> date:
        """The store date of an instant."""
        return self.local(instant).date()

    def time_of(self, instant: int) -> time:
        """The clock time of an instant."""
        return self.local(instant).time()

    def instant(self, day: date, clock: time) -> int:
        """When the clock shows this: the first of two, or with the offset before the gap (H102)."""
        local = datetime.combine(day, clock.replace(fold=0, tzinfo=None), tzinfo=self._zone)
        return (local.astimezone(UTC) - _EPOCH) // _MILLISECOND

    def start(self, day: date) -> int:
        """The first instant of a day; of one that the zone skipped, that of the next."""
        plain = self.instant(day, time())
        if self.local(plain).date() == day and self.local(plain - 1).date() < day:
            return plain
        begin = plain - _SEARCH_QUARTERS * (_QUARTER // _MILLISECOND)
        quarters = (begin + n * (_QUARTER // _MILLISECOND) for n in range(2 * _SEARCH_QUARTERS))
        return next(instant for instant in quarters if self.local(instant).date() >= day)

    def span(self, first: date, last: date) -> Span:
        """Whole days."""
        return Span(first, last, self.start(first), self.start(last + _DAY))
