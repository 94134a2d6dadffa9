"""Exact numbers as text: major units of a currency, quotients rounded half away from zero, never by way of a float."""

from decimal import Decimal
from fractions import Fraction
from typing import Final

SHOWN_DIGITS: Final = 12
"""Digits after the point of a quotient in JSON: its two sides stand beside it for whoever wants it exact."""


def rounded(number: int | Fraction, digits: int) -> Decimal:
    """To so many digits after the point, half away from zero (H105); -0 is 0."""
    exact = Fraction(number) * 10**digits
    # Half away from zero on integers: round() would go to the even neighbour.
    units = (2 * abs(exact.numerator) + exact.denominator) // (2 * exact.denominator)
    return Decimal(units if exact > 0 else -units).scaleb(-digits)


def shown(number: int | Fraction, digits: int = SHOWN_DIGITS) -> Decimal:
    """A quotient without needless zeros: 12.5, 33.333333333333, 100."""
    found = rounded(number, digits)
    whole = found.to_integral_value()
    return Decimal(int(whole)) if found == whole else found.normalize()


def major(minor: int | Fraction, exponent: int) -> Decimal:
    """Minor units in major units: 4000 with exponent 2 is 40.00, with exactly the currency's digits."""
    return rounded(Fraction(minor) / 10**exponent, exponent)


def plain(number: Decimal) -> str:
    """Digits and a point, no exponent."""
    return f"{number:f}"
