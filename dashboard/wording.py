"""A question as words (a URL's query, a command's options) made into an `Ask`. What is wrong is said by name."""

from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Final, TypeVar

from dashboard.asking import Ask, AskError
from dashboard.periods import Compare, Convention, Period
from schemas.instants import instant_ms

ASK_WORDS: Final = (
    "store",
    "period",
    "from",
    "to",
    "channel",
    "compare",
    "convention",
    "as_of",
    "by",
    "metric",
)
"""What a question may say; `by` and `metric` several times, or with commas."""

_MANY: Final = frozenset({"by", "metric"})
_Choice = TypeVar("_Choice", bound=StrEnum)

Words = Mapping[str, Sequence[str]]


class WordError(AskError):
    """A word that can't be read; `word` names it."""

    def __init__(self, word: str, message: str) -> None:
        super().__init__(message)
        self.word = word


def read_ask(words: Words, *, allowed: Sequence[str] = ASK_WORDS) -> Ask:
    """The question that these words ask. Raises WordError; what the catalogue says to it is the report's to tell."""
    for word, values in words.items():
        if word not in allowed:
            raise WordError(word, f"{word} is not known here; known are {', '.join(allowed)}")
        if len(values) > 1 and word not in _MANY:
            raise WordError(word, f"{word} is given {len(values)} times; give it once")
    store = _one(words, "store")
    if not store:
        raise WordError("store", "store is missing; say which, such as store=acme")
    first, last = _day(words, "from"), _day(words, "to")
    named = _one(words, "period")
    period = _choice(words, "period", Period, Period.LAST_30_DAYS)
    if not named and (first is not None or last is not None):
        period = Period.CUSTOM  # two dates say it well enough
    if period is Period.CUSTOM and (first is None or last is None):
        raise WordError("from", "a custom period needs from and to, as 2026-01-31; both are included")
    if period is not Period.CUSTOM and (first is not None or last is not None):
        raise WordError("from", f"from and to belong to period=custom, not to {period.value}; drop one")
    return Ask(
        store=store,
        period=period,
        first=first,
        last=last,
        channel=_one(words, "channel") or None,
        convention=_choice(words, "convention", Convention, Convention.NAMED),
        compare=_choice(words, "compare", Compare, Compare.CALENDAR),
        as_of=_instant(words, "as_of"),
        by=_several(words, "by"),
        metrics=_several(words, "metric"),
    )


def choice_of(words: Words, word: str, choices: type[_Choice], default: _Choice) -> _Choice:
    """One of the choices, or the default where nothing is said. Raises WordError."""
    return _choice(words, word, choices, default)


def _one(words: Words, word: str) -> str:
    values = words.get(word, ())
    return values[0] if values else ""


def _several(words: Words, word: str) -> tuple[str, ...]:
    found = [part.strip() for value in words.get(word, ()) for part in value.split(",")]
    return tuple(dict.fromkeys(part for part in found if part))


def _choice(words: Words, word: str, choices: type[_Choice], default: _Choice) -> _Choice:
    text = _one(words, word)
    if not text:
        return default
    try:
        return choices(text)
    except ValueError:
        known = ", ".join(each.value for each in choices)
        raise WordError(word, f"{word} {text!r} is not known; known are {known}") from None


def _day(words: Words, word: str) -> date | None:
    text = _one(words, word)
    if not text:
        return None
    try:
        if len(text) != len("2026-01-31"):
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError:
        raise WordError(word, f"{word} {text!r} is no date; write it as 2026-01-31") from None


def _instant(words: Words, word: str) -> int | None:
    text = _one(words, word)
    if not text:
        return None
    try:
        # In a URL an unescaped + arrives as a space: the offset of an instant, and nothing else, can hold one.
        return instant_ms(text.replace(" ", "+"))
    except ValueError:
        raise WordError(
            word, f"{word} {text!r} is no instant; write it with its offset, as 2026-01-31T12:00:00Z"
        ) from None
