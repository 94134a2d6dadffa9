"""Store-local days, months and clock times as instants (E11, H102)."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def local(at: int, zone: str) -> datetime:
    """The wall clock of a store at an instant (epoch ms)."""
    return (EPOCH + timedelta(milliseconds=at)).astimezone(ZoneInfo(zone))


def date_of(at: int, zone: str) -> date:
    """The store date of an instant."""
    return local(at, zone).date()


def instant(day: date, zone: str, clock: time = time()) -> int:
    """Epoch ms of a wall clock time; a skipped one is read with the offset before the gap, of two it is the first."""
    wall = datetime.combine(day, clock.replace(fold=0), tzinfo=ZoneInfo(zone))
    since = wall.astimezone(UTC) - EPOCH
    return since // timedelta(milliseconds=1)


def month_start(day: date) -> date:
    """The first of the month."""
    return day.replace(day=1)


def next_month(day: date) -> date:
    """The first of the month after."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def last_of_month(day: date) -> date:
    """The last day of the month."""
    return next_month(day) - timedelta(days=1)


def months_between(earlier: date, later: date) -> int:
    """Whole calendar months (H112): Jan 31 to Feb 28 is none."""
    months = 12 * (later.year - earlier.year) + later.month - earlier.month
    return months - (later.day < earlier.day)


def dates(first: date, last: date) -> list[date]:
    """All dates from first to last, both included."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
