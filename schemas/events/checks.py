"""Checks of one untyped JSON value each: they refuse it with a reason and its path, or write it in canonical form.

The slow twin of the typed structs, written apart from them on purpose: a property test holds the two together.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from schemas.currencies import EXPONENTS
from schemas.events.untyped import Number
from schemas.instants import EARLIEST_MS, END_MS, instant_ms
from schemas.money import MINOR_LIMIT, BadAmount, units_of_number, units_of_string
from schemas.reasons import Reason, Rejected


@dataclass(frozen=True, slots=True)
class Unit:
    """How amounts of a record are counted: decimals (None: their form alone is judged) and the exclusive limit."""

    decimals: int | None
    limit: int = MINOR_LIMIT


Check = Callable[[Any, str, Unit], str]
"""`(value, path, unit) -> canonical JSON text`, or Rejected. The value is not null."""

_LONGEST_INT: Final = (
    20  # digits; a longer one is out of every bound and int() would refuse thousands of them
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One member of an object: its name, its check, and whether it must be there."""

    name: str
    check: Check
    required: bool = True


def must(name: str, check: Check) -> Rule:
    """A member that has to be there; null counts as missing."""
    return Rule(name, check)


def may(name: str, check: Check) -> Rule:
    """A member that may be absent or null."""
    return Rule(name, check, required=False)


def check_members(tree: dict[str, Any], rules: Sequence[Rule], prefix: str, unit: Unit) -> dict[str, str]:
    """Canonical text of the members that are there, by name, checked in the order of `rules`."""
    texts = {}
    for rule in rules:
        value = tree.get(rule.name)
        path = prefix + rule.name
        if value is not None:
            texts[rule.name] = rule.check(value, path, unit)
        elif rule.required:
            raise Rejected(Reason.MISSING_FIELD, path)
    return texts


def write_object(texts: dict[str, str]) -> str:
    """JSON text of an object whose members are canonical texts already."""
    return "{" + ",".join(f'"{name}":{text}' for name, text in texts.items()) + "}"


def text(low: int, high: int | None, pattern: str = "") -> Check:
    """A string of `low` to `high` code points."""
    compiled = re.compile(pattern, re.ASCII) if pattern else None

    def check(value: Any, path: str, unit: Unit) -> str:
        if not isinstance(value, str):
            raise Rejected(Reason.WRONG_TYPE, path)
        if len(value) < low or (high is not None and len(value) > high):
            raise Rejected(Reason.INVALID_VALUE, path)
        if compiled is not None and compiled.fullmatch(value) is None:
            raise Rejected(Reason.INVALID_VALUE, path)
        return json.dumps(value)

    return check


def one_of(*words: str) -> Check:
    """A string out of a closed list."""

    def check(value: Any, path: str, unit: Unit) -> str:
        if not isinstance(value, str):
            raise Rejected(Reason.WRONG_TYPE, path)
        if value not in words:
            raise Rejected(Reason.INVALID_VALUE, path)
        return json.dumps(value)

    return check


def integer(low: int, high: int, above: Reason = Reason.INVALID_VALUE) -> Check:
    """A JSON number without fraction and exponent, `low` to `high`."""

    def check(value: Any, path: str, unit: Unit) -> str:
        if not isinstance(value, Number) or not value.is_integer:
            raise Rejected(Reason.WRONG_TYPE, path)
        # By length first, so that a huge one is never turned into an int.
        if len(value.text) > _LONGEST_INT:
            raise Rejected(Reason.INVALID_VALUE if value.text[0] == "-" else above, path)
        if int(value.text) < low:
            raise Rejected(Reason.INVALID_VALUE, path)
        if int(value.text) > high:
            raise Rejected(above, path)
        return value.text

    return check


def boolean(value: Any, path: str, unit: Unit) -> str:
    """`true` or `false`."""
    if not isinstance(value, bool):
        raise Rejected(Reason.WRONG_TYPE, path)
    return "true" if value else "false"


def instant(value: Any, path: str, unit: Unit) -> str:
    """RFC 3339 text with offset or integer epoch milliseconds, in [2000, 2100)."""
    if isinstance(value, str):
        try:
            instant_ms(value)
        except ValueError as error:
            raise Rejected(Reason.INVALID_TIME, path) from error
        return json.dumps(value)
    if not isinstance(value, Number):
        raise Rejected(Reason.WRONG_TYPE, path)
    if not value.is_integer or len(value.text) > _LONGEST_INT or not EARLIEST_MS <= int(value.text) < END_MS:
        raise Rejected(Reason.INVALID_TIME, path)
    return value.text


def amount_units(value: Any, path: str, unit: Unit) -> int:
    """An amount in integer units of `unit`."""
    try:
        if isinstance(value, str):
            return units_of_string(value, unit.decimals, unit.limit)
        if isinstance(value, Number):
            return units_of_number(value.text, unit.decimals, unit.limit)
    except BadAmount as error:
        raise Rejected(error.reason, path) from error
    raise Rejected(Reason.WRONG_TYPE, path)


def money(value: Any, path: str, unit: Unit) -> str:
    """A non-negative amount in major units: a JSON number or a plain decimal string."""
    amount_units(value, path, unit)
    return json.dumps(value) if isinstance(value, str) else str(value.text)


def currency(value: Any, path: str, unit: Unit) -> str:
    """An upper-case ISO 4217 code with a minor unit."""
    if not isinstance(value, str):
        raise Rejected(Reason.WRONG_TYPE, path)
    if value not in EXPONENTS:
        raise Rejected(Reason.UNKNOWN_CURRENCY, path)
    return json.dumps(value)


def version_text(value: Any, path: str, unit: Unit) -> str:
    """A string or an integer, of 1 to 128 characters either way."""
    if isinstance(value, str) or not isinstance(value, Number) or not value.is_integer:
        return text(1, 128)(value, path, unit)
    if len(value.text) > 128:
        raise Rejected(Reason.INVALID_VALUE, path)
    return value.text


def objects(rules: Sequence[Rule], low: int, high: int | None) -> Check:
    """A list of `low` to `high` objects, each with these members."""

    def check(value: Any, path: str, unit: Unit) -> str:
        if not isinstance(value, list):
            raise Rejected(Reason.WRONG_TYPE, path)
        if len(value) < low or (high is not None and len(value) > high):
            raise Rejected(Reason.INVALID_VALUE, path)
        texts = []
        for index, item in enumerate(value):
            if not isinstance(item, dict):
                raise Rejected(Reason.WRONG_TYPE, f"{path}[{index}]")
            texts.append(write_object(check_members(item, rules, f"{path}[{index}].", unit)))
        return "[" + ",".join(texts) + "]"

    return check


def members(*rules: Rule) -> Check:
    """An object; members without a rule may be anything."""

    def check(value: Any, path: str, unit: Unit) -> str:
        if not isinstance(value, dict):
            raise Rejected(Reason.WRONG_TYPE, path)
        return write_object(check_members(value, rules, f"{path}.", unit))

    return check
