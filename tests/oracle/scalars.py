"""Reading JSON, times and money by the letter of the contract (H02 to H14), without the pipeline's decoder."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, NoReturn

MAX_BYTES: Final = 256 * 1024
TEXT_MOST: Final = 128  # H10
TIME_FROM: Final = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 1000
TIME_TO: Final = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * 1000
AMOUNT_DIGITS: Final = 15  # below 10^15 minor units (H13)

_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)
_AMOUNT = re.compile(r"(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?", re.ASCII)
_AMOUNT_TEXT = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)


class Refused(Exception):
    """The record is a dead letter: `reason` of the closed list (H01), `field` its path, empty for the whole record."""

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(f"{reason} at {field or 'the whole record'}")
        self.reason = reason
        self.field = field


class Number(NamedTuple):
    """A JSON number as it was written, so that 2.0 differs from 2 and 0.1 is no binary float."""

    text: str


def _no_constant(text: str) -> NoReturn:
    raise ValueError(text)


def parse_object(value: bytes | None) -> dict[str, Any]:
    """Bytes -> JSON object with `Number`s in it. Raises Refused: too_large, malformed_json, not_an_object."""
    if value is None:
        raise Refused("malformed_json")
    if len(value) > MAX_BYTES:
        raise Refused("too_large")
    try:
        parsed = json.loads(
            value.decode("utf-8"), parse_int=Number, parse_float=Number, parse_constant=_no_constant
        )
        # A lone surrogate (an escape such as \ud800) is no character: UTF-8, and so every row, can't hold it.
        json.dumps(parsed, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise Refused("malformed_json") from None
    if not isinstance(parsed, dict):
        raise Refused("not_an_object")
    return parsed


def parse_time(raw: Any, path: str) -> int:
    """Epoch ms of an RFC 3339 text with offset or of an integer (H06)."""
    if isinstance(raw, Number):
        if not re.fullmatch(r"-?\d{1,20}", raw.text):
            raise Refused("invalid_time", path)
        ms = int(raw.text)
    elif isinstance(raw, str):
        match = _TIME.fullmatch(raw)
        if not match:
            raise Refused("invalid_time", path)
        year, month, day, hour, minute, second, digits, sign, off_hours, off_minutes = match.groups()
        try:
            local = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC)
        except ValueError:
            raise Refused("invalid_time", path) from None
        ms = int(local.timestamp()) * 1000 + int(((digits or "") + "000")[:3])
        if sign:
            if int(off_hours) > 23 or int(off_minutes) > 59:
                raise Refused("invalid_time", path)
            ahead = (int(off_hours) * 60 + int(off_minutes)) * 60_000
            ms += -ahead if sign == "+" else ahead
    else:
        raise Refused("wrong_type", path)
    if not TIME_FROM <= ms < TIME_TO:
        raise Refused("invalid_time", path)
    return ms


class Fields:
    """An object's fields, read one after the other; each reader raises Refused with the field's path."""

    def __init__(self, values: Mapping[str, Any], path: str = "") -> None:
        self._values = values
        self._path = path

    def path(self, name: str) -> str:
        """The field's path from the root of the record."""
        return self._path + name

    def raw(self, name: str, *, required: bool) -> Any:
        """The value; None for absent and for null (H03), which a required field may not be."""
        value = self._values.get(name)
        if value is None and required:
            raise Refused("missing_field", self.path(name))
        return value

    def text(self, name: str, *, most: int = TEXT_MOST, least: int = 1) -> str:
        """A required text of `least` to `most` code points."""
        return self._checked_text(self.raw(name, required=True), name, most, least)

    def optional_text(self, name: str, *, most: int = TEXT_MOST, least: int = 1) -> str | None:
        """Like `text`, or None."""
        raw = self.raw(name, required=False)
        return None if raw is None else self._checked_text(raw, name, most, least)

    def _checked_text(self, raw: Any, name: str, most: int, least: int) -> str:
        if not isinstance(raw, str):
            raise Refused("wrong_type", self.path(name))
        if not least <= len(raw) <= most:
            raise Refused("invalid_value", self.path(name))
        return raw

    def one_of(self, name: str, *words: str) -> str:
        """A required text of a closed list."""
        raw = self.raw(name, required=True)
        if not isinstance(raw, str):
            raise Refused("wrong_type", self.path(name))
        if raw not in words:
            raise Refused("invalid_value", self.path(name))
        return raw

    def integer(self, name: str, least: int, most: int) -> int:
        """A required integer in [least, most] (H09)."""
        return self._checked_integer(self.raw(name, required=True), name, least, most)

    def optional_integer(self, name: str, least: int, most: int) -> int | None:
        """Like `integer`, or None."""
        raw = self.raw(name, required=False)
        return None if raw is None else self._checked_integer(raw, name, least, most)

    def _checked_integer(self, raw: Any, name: str, least: int, most: int) -> int:
        if not isinstance(raw, Number) or not re.fullmatch(r"-?\d+", raw.text):
            raise Refused("wrong_type", self.path(name))
        if len(raw.text) > 30 or not least <= int(raw.text) <= most:
            raise Refused("invalid_value", self.path(name))
        return int(raw.text)

    def boolean(self, name: str) -> bool:
        """An optional boolean, false when absent."""
        raw = self.raw(name, required=False)
        if raw is not None and not isinstance(raw, bool):
            raise Refused("wrong_type", self.path(name))
        return bool(raw)

    def time(self, name: str) -> int:
        """A required time in epoch ms."""
        return parse_time(self.raw(name, required=True), self.path(name))

    def optional_time(self, name: str) -> int | None:
        """Like `time`, or None."""
        raw = self.raw(name, required=False)
        return None if raw is None else parse_time(raw, self.path(name))

    def objects(
        self, name: str, least: int, most: int | None, *, required: bool = True
    ) -> "Iterator[Fields] | None":
        """A list of objects, each as Fields with its own path, looked at one after the other; None when absent."""
        raw = self.raw(name, required=required)
        if raw is None:
            return None
        if not isinstance(raw, list):
            raise Refused("wrong_type", self.path(name))
        if len(raw) < least or (most is not None and len(raw) > most):
            raise Refused("invalid_value", self.path(name))
        return self._items(raw, self.path(name))

    @staticmethod
    def _items(raw: list[Any], path: str) -> "Iterator[Fields]":
        for index, item in enumerate(raw):
            if not isinstance(item, dict):
                raise Refused("wrong_type", f"{path}[{index}]")
            yield Fields(item, f"{path}[{index}].")

    def amount(self, name: str, *, required: bool) -> str | None:
        """The digits of a money field (H13), not yet fitted to a currency; None when absent."""
        raw = self.raw(name, required=required)
        if raw is None:
            return None
        if isinstance(raw, Number):
            digits = raw.text
        elif not isinstance(raw, str):
            raise Refused("wrong_type", self.path(name))
        elif _AMOUNT_TEXT.fullmatch(raw):
            digits = raw
        else:
            raise Refused("invalid_value", self.path(name))
        if digits.startswith("-") and re.search("[1-9]", re.split("[eE]", digits)[0]):
            raise Refused("invalid_value", self.path(name))
        return digits

    def money(self, name: str, exponent: int) -> int:
        """A required amount in minor units."""
        digits = self.amount(name, required=True)
        assert digits is not None
        return minor_units(digits, exponent, self.path(name))

    def optional_money(self, name: str, exponent: int) -> int:
        """An amount in minor units, 0 when absent."""
        digits = self.amount(name, required=False)
        return 0 if digits is None else minor_units(digits, exponent, self.path(name))


def minor_units(digits: str, exponent: int, path: str, *, most_digits: int = AMOUNT_DIGITS) -> int:
    """`12.50` with exponent 2 -> 1250, by moving the decimal point in the text: no float, no rounding (H13)."""
    match = _AMOUNT.fullmatch(digits)
    assert match, digits
    _, whole, fraction, power_text = match.groups()
    fraction = fraction or ""
    # A power of more digits than any real one: far out of every range, on its own side.
    power = (
        int(power_text or "0")
        if len(power_text or "0") < 9
        else (10**9 if power_text[0] != "-" else -(10**9))
    )
    significant = (whole + fraction).lstrip("0")
    if not significant:
        return 0
    shift = exponent + power - len(fraction) + len(significant) - len(significant.rstrip("0"))
    significant = significant.rstrip("0")
    if shift < 0:
        raise Refused("amount_precision", path)
    if len(significant) + shift > most_digits:
        raise Refused("invalid_value", path)
    return int(significant + "0" * shift)
