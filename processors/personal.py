"""What a session got in personalizations, and the goals reached in it: sets that grow in any order."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from schemas.columns import Days, Flags, Instants, Moneys, Texts, Words
from schemas.currencies import EXPONENTS
from schemas.stores import Calendar, Store


class Served(Struct, array_like=True, gc=False):
    """An experience that the session got, of one variant and test (empty: none named), and from when to when."""

    experience: str
    variant: str
    test: str
    first: int
    last: int

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from the others of its session; their order."""
        return self.experience, self.variant, self.test


class Goal(Struct, array_like=True, gc=False, frozen=True):
    """A goal conversion. `value`: minor units of `currency` (empty: the store's), None if it has none."""

    at: int
    event_id: str
    goal_id: str
    experience: str
    value: int | None
    currency: str


def serve(served: list[Served], one: Served) -> None:
    """Count an experience in: once for each variant and test, with the earliest and the latest time."""
    place = bisect_left(served, one.key, key=_key)
    if place < len(served) and (known := served[place]).key == one.key:
        known.first = min(known.first, one.first)
        known.last = max(known.last, one.last)
    else:
        served.insert(place, one)


def with_goals(goals: list[Goal], more: Sequence[Goal]) -> list[Goal]:
    """All of them, ascending by time and event."""
    return sorted([*goals, *more], key=_rank)


Columns = tuple[
    Texts, Texts, Texts, Instants, Instants, Texts, Texts, Texts, Instants, Days, Flags, Moneys, Words, Flags
]
"""The columns of SessionRow from `experience_id` to `goal_exponent`."""

# Most sessions have neither: their rows share these, and nobody changes a row.
NOTHING_PERSONAL: Final[Columns] = ([], [], [], [], [], [], [], [], [], [], [], [], [], [])


def personal_columns(
    served: Sequence[Served], goals: Sequence[Goal], store: Store, calendar: Calendar
) -> Columns:
    """Both as parallel arrays."""
    currencies = [goal.currency or store.currency for goal in goals]
    return (
        [one.experience for one in served],
        [one.variant for one in served],
        [one.test for one in served],
        [one.first for one in served],
        [one.last for one in served],
        [goal.event_id for goal in goals],
        [goal.goal_id for goal in goals],
        [goal.experience for goal in goals],
        [goal.at for goal in goals],
        [calendar.day(goal.at) for goal in goals],
        [int(goal.value is not None) for goal in goals],
        [goal.value or 0 for goal in goals],
        currencies,
        [EXPONENTS[currency] for currency in currencies],
    )


def _key(served: Served) -> tuple[str, str, str]:
    return served.key


def _rank(goal: Goal) -> tuple[int, str]:
    return goal.at, goal.event_id
