"""Golden 6 and the table of metrics.md section 6: what every period resolves to, worked out with a calendar."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final


def utc(text: str) -> int:
    """Epoch ms of an ISO time in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@dataclass(frozen=True)
class PeriodCase:
    """`current` and `previous`: first and last store date, both included; None for an empty period.

    `instants`: [start, end) of both in epoch ms, where the case is about them.
    """

    period: str
    as_of: int
    current: tuple[str, str] | None
    previous: tuple[str, str] | None
    zone: str = "UTC"
    asked: tuple[str, str] | None = None
    literal: bool = False
    shift: bool = False
    clamped: bool = False
    instants: tuple[int, int, int, int] | None = None

    @property
    def dates(self) -> tuple[date, date] | None:
        """What `custom` asks for."""
        return None if self.asked is None else (date.fromisoformat(self.asked[0]), until(self.asked))


def until(span: tuple[str, str]) -> date:
    """The last date."""
    return date.fromisoformat(span[1])


JAN_24: Final = utc("2024-01-24T15:30:00.250")
# The worked table: today is Wednesday, 2024-01-24.
TABLE: Final = (
    PeriodCase(
        "today",
        JAN_24,
        ("2024-01-24", "2024-01-24"),
        ("2024-01-23", "2024-01-23"),
        instants=(utc("2024-01-24"), JAN_24, utc("2024-01-23"), utc("2024-01-23T15:30:00.250")),
    ),
    PeriodCase("yesterday", JAN_24, ("2024-01-23", "2024-01-23"), ("2024-01-22", "2024-01-22")),
    PeriodCase(
        "last_7_days",
        JAN_24,
        ("2024-01-17", "2024-01-23"),
        ("2024-01-10", "2024-01-16"),
        instants=(utc("2024-01-17"), utc("2024-01-24"), utc("2024-01-10"), utc("2024-01-17")),
    ),
    PeriodCase("last_14_days", JAN_24, ("2024-01-10", "2024-01-23"), ("2023-12-27", "2024-01-09")),
    PeriodCase("last_30_days", JAN_24, ("2023-12-25", "2024-01-23"), ("2023-11-25", "2023-12-24")),
    PeriodCase("month_to_date", JAN_24, ("2024-01-01", "2024-01-23"), ("2023-12-01", "2023-12-23")),
    PeriodCase(
        "custom",
        JAN_24,
        ("2024-01-03", "2024-01-05"),
        ("2023-12-31", "2024-01-02"),
        asked=("2024-01-03", "2024-01-05"),
    ),
    # Read to the letter the periods have 8, 15 and 31 days.
    PeriodCase(
        "last_7_days", JAN_24, ("2024-01-16", "2024-01-23"), ("2024-01-08", "2024-01-15"), literal=True
    ),
    PeriodCase(
        "last_14_days", JAN_24, ("2024-01-09", "2024-01-23"), ("2023-12-25", "2024-01-08"), literal=True
    ),
    PeriodCase(
        "last_30_days", JAN_24, ("2023-12-24", "2024-01-23"), ("2023-11-23", "2023-12-23"), literal=True
    ),
)
MONTHS: Final = (
    PeriodCase("month_to_date", utc("2024-02-01T00:00"), None, None),
    PeriodCase("month_to_date", utc("2024-02-01T23:59:59.999"), None, None, shift=True),
    PeriodCase(
        "month_to_date",
        utc("2024-03-31T12:00"),
        ("2024-03-01", "2024-03-30"),
        ("2024-02-01", "2024-02-29"),
        clamped=True,
    ),
    PeriodCase(
        "month_to_date",
        utc("2023-03-31T12:00"),
        ("2023-03-01", "2023-03-30"),
        ("2023-02-01", "2023-02-28"),
        clamped=True,
    ),
    # 29 days of March fit into a February of 29.
    PeriodCase(
        "month_to_date",
        utc("2024-03-30T12:00"),
        ("2024-03-01", "2024-03-29"),
        ("2024-02-01", "2024-02-29"),
    ),
    # Shifted: the 30 days before March 1st.
    PeriodCase(
        "month_to_date",
        utc("2024-03-31T12:00"),
        ("2024-03-01", "2024-03-30"),
        ("2024-01-31", "2024-02-29"),
        shift=True,
    ),
)
CUSTOM: Final = (
    # Reaching today: cut at as_of, and the day before it at the same clock time.
    PeriodCase(
        "custom",
        JAN_24,
        ("2024-01-23", "2024-01-24"),
        ("2024-01-21", "2024-01-22"),
        asked=("2024-01-23", "2024-01-24"),
        instants=(utc("2024-01-23"), JAN_24, utc("2024-01-21"), utc("2024-01-22T15:30:00.250")),
    ),
    # Beyond today: first shortened to it, and only then counted.
    PeriodCase(
        "custom",
        JAN_24,
        ("2024-01-23", "2024-01-24"),
        ("2024-01-21", "2024-01-22"),
        asked=("2024-01-23", "2024-06-30"),
        instants=(utc("2024-01-23"), JAN_24, utc("2024-01-21"), utc("2024-01-22T15:30:00.250")),
    ),
    PeriodCase("custom", JAN_24, None, None, asked=("2024-01-25", "2024-01-26")),
)
ZONES: Final = (
    # The day of 23 hours in Madrid, 2026-03-29: 23:00Z on the 28th to 22:00Z.
    PeriodCase(
        "yesterday",
        utc("2026-03-30T08:00"),
        ("2026-03-29", "2026-03-29"),
        ("2026-03-28", "2026-03-28"),
        zone="Europe/Madrid",
        instants=(
            *(utc("2026-03-28T23:00"), utc("2026-03-29T22:00")),
            *(utc("2026-03-27T23:00"), utc("2026-03-28T23:00")),
        ),
    ),
    # 25 hours on 2026-10-25, and the date in the store is already the 26th at 23:30Z.
    PeriodCase(
        "yesterday",
        utc("2026-10-25T23:30"),
        ("2026-10-25", "2026-10-25"),
        ("2026-10-24", "2026-10-24"),
        zone="Europe/Madrid",
        instants=(
            *(utc("2026-10-24T22:00"), utc("2026-10-25T23:00")),
            *(utc("2026-10-23T22:00"), utc("2026-10-24T22:00")),
        ),
    ),
    # 02:30 on March 30 in Madrid; 02:30 of the day before was skipped: read with UTC+1, it is 01:30Z.
    PeriodCase(
        "today",
        utc("2026-03-30T00:30"),
        ("2026-03-30", "2026-03-30"),
        ("2026-03-29", "2026-03-29"),
        zone="Europe/Madrid",
        instants=(
            *(utc("2026-03-29T22:00"), utc("2026-03-30T00:30")),
            *(utc("2026-03-28T23:00"), utc("2026-03-29T01:30")),
        ),
    ),
    # 02:30 on October 26; 02:30 of the day before came twice: the first, in UTC+2, is 00:30Z.
    PeriodCase(
        "today",
        utc("2026-10-26T01:30"),
        ("2026-10-26", "2026-10-26"),
        ("2026-10-25", "2026-10-25"),
        zone="Europe/Madrid",
        instants=(
            *(utc("2026-10-25T23:00"), utc("2026-10-26T01:30")),
            *(utc("2026-10-24T22:00"), utc("2026-10-25T00:30")),
        ),
    ),
    # In Beirut midnight of 2024-03-31 does not exist: the day begins at 01:00, which is 22:00Z.
    PeriodCase(
        "yesterday",
        utc("2024-04-01T12:00"),
        ("2024-03-31", "2024-03-31"),
        ("2024-03-30", "2024-03-30"),
        zone="Asia/Beirut",
        instants=(
            *(utc("2024-03-30T22:00"), utc("2024-03-31T21:00")),
            *(utc("2024-03-29T22:00"), utc("2024-03-30T22:00")),
        ),
    ),
    # In Havana midnight of 2025-11-02 comes twice: the day begins at the first, 04:00Z.
    PeriodCase(
        "yesterday",
        utc("2025-11-03T12:00"),
        ("2025-11-02", "2025-11-02"),
        ("2025-11-01", "2025-11-01"),
        zone="America/Havana",
        instants=(
            *(utc("2025-11-02T04:00"), utc("2025-11-03T05:00")),
            *(utc("2025-11-01T04:00"), utc("2025-11-02T04:00")),
        ),
    ),
)
PERIOD_CASES: Final = (*TABLE, *MONTHS, *CUSTOM, *ZONES)
