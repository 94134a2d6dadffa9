"""A record's JSON without types: what the diagnosis of a refused record looks at.

Numbers stay text, so that no digit and no exponent is lost and no huge integer costs time; of a member given twice
the last counts.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from schemas.reasons import Reason, Rejected

MAX_BYTES: Final = 256 * 1024
# Parsers recurse; how deep they may go would depend on the caller's stack. A fixed bound, far below, does not.
MAX_DEPTH: Final = 400
CERTAINLY_SHALLOW_BYTES: Final = 2 * MAX_DEPTH  # every level takes an opening and a closing bracket

_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Number:
    """A JSON number as it was written."""

    text: str

    @property
    def is_integer(self) -> bool:
        """Whether it has neither fraction nor exponent: `2.0` and `2e0` are no integers on the wire."""
        return not any(mark in self.text for mark in ".eE")


def parse(value: bytes | None) -> dict[str, Any]:
    """The record's object: str, bool, None, Number, list, dict. Rejected: size, UTF-8 and JSON, object."""
    if value is None:
        raise Rejected(Reason.MALFORMED_JSON)
    if len(value) > MAX_BYTES:
        raise Rejected(Reason.TOO_LARGE)
    check_depth(value)
    try:
        text = value.decode()
        tree = json.loads(text, parse_int=Number, parse_float=Number, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Rejected(Reason.MALFORMED_JSON) from error
    if "\\u" in text and any(match["lone"] for match in _ESCAPE.finditer(text)):
        # Half a surrogate pair is no character: nothing downstream could write it as UTF-8.
        raise Rejected(Reason.MALFORMED_JSON)
    if not isinstance(tree, dict):
        raise Rejected(Reason.NOT_AN_OBJECT)
    return tree


def check_depth(value: bytes) -> None:
    """Rejected as malformed if the JSON nests deeper than MAX_DEPTH, whatever stack the caller stands on."""
    if value.count(b"{") + value.count(b"[") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", value.decode("latin-1"))):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            raise Rejected(Reason.MALFORMED_JSON)


def _refuse_constant(token: str) -> Any:
    raise ValueError(f"{token} is not JSON")
