"""Exact money: decimal text in major units to integer minor units, without a binary float in between.

The functions read text, since a JSON number that has once been a float has lost its digits. The wire allows a JSON
number (scientific notation is legal there) or a string of plain digits; digits beyond the currency's decimals count
only if they are not zero, so "50.000" is 50.00 EUR and "50.001" is refused.
"""

import re
from typing import Final

import msgspec

from schemas.reasons import Reason

MINOR_LIMIT: Final = 10**15  # exclusive: a thousand lines of it still fit 64 bits
E4_DECIMALS: Final = 4
# Exclusive. Without its currency an amount may be in one of no decimals, whose limit is 10^15 major units.
E4_LIMIT: Final = MINOR_LIMIT * 10**E4_DECIMALS

_NUMBER = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]+))?")
_STRING = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?()()")
_EXPONENT_DIGITS: Final = (
    9  # a longer power of ten is beyond any amount; reading it as an int could take for ever
)
_REMEMBERED: Final = 16_384
_LONGEST_REMEMBERED: Final = 24
_tables: Final[tuple[dict[bytes, int], ...]] = tuple({} for _ in range(E4_DECIMALS + 1))
_unquote = msgspec.json.Decoder(str).decode


class BadAmount(ValueError):
    """An amount that is not money: `reason` is wrong_type, invalid_value or amount_precision."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def units_of_number(text: str, decimals: int | None, limit: int = MINOR_LIMIT) -> int:
    """Minor units of a JSON number's own text. Raises BadAmount.

    `decimals` are the currency's; None judges the form and the sign alone and answers 0.
    """
    return _units(_NUMBER.fullmatch(text), decimals, limit)


def units_of_string(text: str, decimals: int | None, limit: int = MINOR_LIMIT) -> int:
    """The same of a decimal string such as "30.00": digits, a point, digits; no exponent, no `+`, no spaces."""
    return _units(_STRING.fullmatch(text), decimals, limit)


def units_of_token(token: bytes, decimals: int) -> int:
    """Minor units of one raw JSON value, number or string; prices repeat, so short ones are remembered."""
    table = _tables[decimals]
    units = table.get(token)
    if units is not None:
        return units
    units = _units_of_token(token, decimals, MINOR_LIMIT)
    if len(token) <= _LONGEST_REMEMBERED:
        if len(table) >= _REMEMBERED:
            table.clear()
        table[token] = units
    return units


def e4_of_token(token: bytes) -> int:
    """One raw JSON value as an integer of 10^-4 major units: an amount whose currency is not known yet."""
    return _units_of_token(token, E4_DECIMALS, E4_LIMIT)


def _units_of_token(token: bytes, decimals: int, limit: int) -> int:
    if token[:1] == b'"':
        return units_of_string(_unquote(token), decimals, limit)
    if token[:1] not in b"-0123456789":
        raise BadAmount(Reason.WRONG_TYPE)
    return units_of_number(token.decode("ascii"), decimals, limit)


def _units(match: re.Match[str] | None, decimals: int | None, limit: int) -> int:
    if match is None:
        raise BadAmount(Reason.INVALID_VALUE)
    sign, whole, fraction, power_sign, power = match.groups(default="")
    digits = (whole + fraction).lstrip("0")
    significant = digits.rstrip("0")
    if not significant:
        return 0  # also -0, which is not negative
    if sign:
        raise BadAmount(Reason.INVALID_VALUE)
    if decimals is None:
        return 0
    power = power.lstrip("0")
    shift = 0
    if power:
        shift = int(power) if len(power) <= _EXPONENT_DIGITS else 10**_EXPONENT_DIGITS
        shift = -shift if power_sign == "-" else shift
    # The amount in minor units is `significant` followed by this many zeros.
    zeros = len(digits) - len(significant) - len(fraction) + shift + decimals
    if zeros < 0:
        raise BadAmount(Reason.AMOUNT_PRECISION)
    # Length first: 10**zeros of a hostile exponent would fill the memory.
    if len(significant) + zeros > len(str(limit)):
        raise BadAmount(Reason.INVALID_VALUE)
    units: int = int(significant) * 10**zeros
    if units >= limit:
        raise BadAmount(Reason.INVALID_VALUE)
    return units
