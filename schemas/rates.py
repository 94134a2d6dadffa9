"""What currencies are worth in a store's reporting currency, by day: the operator's `rates.csv`, loaded by the worker.

    day,currency,reporting_currency,rate
    2026-01-31,USD,EUR,0.9232

A day is the store date of an order's capture, so weekends need a line as well: no rate is carried over from another day,
or an order's amount would change when the day that was missing comes. A rate is a decimal as written, never a float.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import Final, NamedTuple

from schemas.currencies import EXPONENTS

HEADER: Final = "day,currency,reporting_currency,rate"
DIGITS: Final = 18
"""Of a rate before the point, and after it."""

_DECIMAL: Final = re.compile(rf"([0-9]{{1,{DIGITS}}})(?:\.([0-9]{{1,{DIGITS}}}))?")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EPOCH: Final = date(1970, 1, 1).toordinal()


class RatesError(ValueError):
    """`rates.csv` can't be used. The message names the file, the line and what is wrong with it."""


class Rate(NamedTuple):
    """What one major unit of a currency is worth: numerator / 10**scale of another. `text`: the same, without needless
    zeros, so that one rate is written in one way."""

    text: str
    numerator: int
    scale: int


class RateKey(NamedTuple):
    """Of which day (since 1970-01-01), from what, to what."""

    day: int
    currency: str
    reporting_currency: str


Rates = Mapping[RateKey, Rate]

SAME: Final = Rate("1", 1, 0)
"""Of a currency in itself."""
NO_RATES: Final[Rates] = {}


def rate_of(text: str) -> Rate | None:
    """A rate as it is written: digits, perhaps a point and digits; None for anything else, and for 0."""
    match = _DECIMAL.fullmatch(text)
    if match is None:
        return None
    whole, fraction = match[1].lstrip("0"), (match[2] or "").rstrip("0")
    numerator = int(whole + fraction or "0")
    if not numerator:
        return None
    return Rate(f"{whole or '0'}.{fraction}" if fraction else whole, numerator, len(fraction))


def parse_rates(text: str, *, origin: str = "rates.csv") -> dict[RateKey, Rate]:
    """The file's text -> its rates. Raises RatesError naming origin and line."""
    rates: dict[RateKey, Rate] = {}
    lines = text.removeprefix("\ufeff").splitlines()
    if not lines or lines[0].strip() != HEADER:
        raise RatesError(f"{origin}: the first line must be {HEADER}; see docs/stores.md")
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) != HEADER.count(",") + 1:
            raise RatesError(
                f"{origin}, line {number}: {line!r} has {len(cells)} cells, not those of {HEADER}"
            )
        key, rate = _key(cells, f"{origin}, line {number}"), rate_of(cells[3])
        if rate is None:
            raise RatesError(
                f"{origin}, line {number}: rate {cells[3]!r} is not above 0, or no decimal of at most {DIGITS} digits"
                " on each side of the point"
            )
        if key in rates:
            raise RatesError(
                f"{origin}, line {number}: {key.currency} in {key.reporting_currency} of {cells[0]} stands there twice;"
                " keep one"
            )
        rates[key] = rate
    return rates


def _key(cells: list[str], where: str) -> RateKey:
    day, currency, reporting, _ = cells
    for code in (currency, reporting):
        if code not in EXPONENTS:
            raise RatesError(f"{where}: {code!r} is no ISO 4217 code")
    if currency == reporting:
        raise RatesError(f"{where}: {currency} is always worth 1 in itself; drop the line")
    try:
        if not _DAY.fullmatch(day):  # a week's day is ISO, too
            raise ValueError(day)
        return RateKey(date.fromisoformat(day).toordinal() - _EPOCH, currency, reporting)
    except ValueError:
        raise RatesError(f"{where}: {day!r} is no day; write it as 2026-01-31") from None


def day_text(day: int) -> str:
    """A day since 1970-01-01 as the file writes it."""
    return date.fromordinal(day + _EPOCH).isoformat()
