"""Instants as the wire writes them (RFC 3339 text or epoch milliseconds), and what event time is made of.

Everything inside Shopmeter is integer milliseconds since 1970-01-01 UTC. Text is read exactly: fractions are cut,
never rounded, and no binary float is involved.
"""

import re
from datetime import UTC, datetime
from typing import Final

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

EARLIEST_MS: Final = 946_684_800_000  # 2000-01-01T00:00:00Z; catches seconds sent for milliseconds
END_MS: Final = (
    4_102_444_800_000  # 2100-01-01T00:00:00Z, exclusive; catches microseconds sent for milliseconds
)

SKEW_TOLERANCE_MS: Final = 60 * SECOND_MS  # a device clock this far off is left alone
FUTURE_TOLERANCE_MS: Final = (
    10 * MINUTE_MS
)  # event time may lead the record's timestamp by this much, inclusive

_MINUTE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2})")
_TAIL = re.compile(r"(?:\.([0-9]+))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))")
_EPOCH_ORDINAL: Final = datetime(1970, 1, 1, tzinfo=UTC).toordinal()

# Text is cut into minute, second and the rest, each remembered by its text: the same minute comes many times.
# Bounded, since the texts come from outside: a full table is emptied and fills again. Eleven days of minutes:
# with more, a worker's memory would grow for weeks.
_REMEMBERED: Final = 16_384
_LONGEST_TAIL: Final = 16
_minutes: dict[str, int] = {}
_seconds: Final = {f":{second:02d}": second * SECOND_MS for second in range(60)}
_tails: dict[str, int] = {}


def instant_ms(text: str) -> int:
    """Epoch milliseconds of an RFC 3339 text with offset, fraction cut to ms.

    ValueError for anything else: no offset, second 60, hour 24, decimal comma, space for the `T`, an impossible
    date, or an instant outside [2000-01-01, 2100-01-01) UTC.
    """
    try:
        instant = _minutes[text[:16]] + _seconds[text[16:19]] + _tails[text[19:]]
    except KeyError:
        instant = _parse(text)
    if not EARLIEST_MS <= instant < END_MS:
        raise ValueError(f"instant {text!r} is outside [2000-01-01, 2100-01-01) UTC")
    return instant


def _parse(text: str) -> int:
    minute_text, second_text, tail_text = text[:16], text[16:19], text[19:]
    minute = _MINUTE.fullmatch(minute_text)
    tail = _TAIL.fullmatch(tail_text)
    if minute is None or tail is None or second_text not in _seconds:
        raise ValueError(f"instant {text[:64]!r} is not RFC 3339 with an offset")
    year, month, day, hour, minutes = map(int, minute.groups())
    start = datetime(year, month, day, hour, minutes, tzinfo=UTC)  # ValueError for 30 February and hour 24
    minute_ms = (start.toordinal() - _EPOCH_ORDINAL) * DAY_MS + hour * HOUR_MS + minutes * MINUTE_MS
    fraction, sign, offset_hours, offset_minutes = tail.groups()
    tail_ms = int((fraction or "")[:3].ljust(3, "0"))
    if sign is not None:
        if int(offset_hours) > 23 or int(offset_minutes) > 59:
            raise ValueError(f"instant {text[:64]!r} has an impossible offset")
        offset = int(offset_hours) * HOUR_MS + int(offset_minutes) * MINUTE_MS
        tail_ms += offset if sign == "-" else -offset
    _remember(_minutes, minute_text, minute_ms)
    if len(tail_text) <= _LONGEST_TAIL:
        _remember(_tails, tail_text, tail_ms)
    return minute_ms + _seconds[second_text] + tail_ms


def _remember(table: dict[str, int], text: str, value: int) -> None:
    if len(table) >= _REMEMBERED:
        table.clear()
    table[text] = value
