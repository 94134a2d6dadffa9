"""What an answer is made of: cells, the scope they are asked for, and the two ways to divide."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, TypeVar

from schemas.stores import Store
from tests.oracle.metrics.facts import Purchase, StoreFacts
from tests.oracle.sessions import Session

Value = int | Fraction | None
"""Counts, minor units and instants are int, ratios Fraction (percent: 0 to 100); None: a ratio of nothing."""


class Cell(NamedTuple):
    """One number of an answer. `value`: the dimension's value, empty for the total; `currency`: empty if not money."""

    metric: str
    value: str = ""
    currency: str = ""


Cells = dict[Cell, Value]
T = TypeVar("T")


@dataclass(frozen=True)
class Scope:
    """What is asked: instants [start, end) in epoch ms, as of when, one channel or all, and told apart by what."""

    facts: StoreFacts
    start: int
    end: int
    as_of: int
    channel: str | None = None
    by: str | None = None

    @property
    def store(self) -> Store:
        """Whose numbers."""
        return self.facts.store

    def holds(self, at: int) -> bool:
        """Inside the period; the end is outside, and so is what comes at or after `as_of` (H16)."""
        return self.start <= at < min(self.end, self.as_of)

    def speaks(self, channel: str) -> bool:
        """The channel passes the filter (H39)."""
        return self.channel is None or channel == self.channel

    @property
    def sessions(self) -> list[Session]:
        """Sessions of the channel that start in the period."""
        return [
            session
            for session in self.facts.sessions
            if self.holds(session.started_at) and self.speaks(session.channel)
        ]

    @property
    def purchases(self) -> list[Purchase]:
        """Orders of the channel captured in the period."""
        return [
            purchase
            for purchase in self.facts.purchases
            if self.holds(purchase.at) and self.speaks(purchase.channel)
        ]

    @property
    def known_purchases(self) -> list[Purchase]:
        """Orders of any channel that are captured before `as_of`: of others not even a cancel is known yet (H16, H55)."""
        return [purchase for purchase in self.facts.purchases if purchase.at < self.as_of]

    def groups(
        self, items: Iterable[T], **dimensions: Callable[[T], Iterable[str]]
    ) -> dict[str, list[T]] | None:
        """Value of the asked dimension -> items that have it, or {"": all}; None if these can't be told apart so."""
        if self.by is None:
            return {"": list(items)}
        if self.by not in dimensions:
            return None
        found: dict[str, list[T]] = {}
        for item in items:
            for value in sorted(set(dimensions[self.by](item))):
                found.setdefault(value, []).append(item)
        return found


def percent(part: int | Fraction, whole: int | Fraction) -> Fraction | None:
    """0 to 100, or None without a whole (E30)."""
    return Fraction(100 * part, whole) if whole else None


def quotient(part: int, whole: int) -> Fraction | None:
    """part / whole, or None without a whole (E30)."""
    return Fraction(part, whole) if whole else None


def by_currency(purchases: Sequence[Purchase]) -> dict[str, list[Purchase]]:
    """Currency -> its orders."""
    found: dict[str, list[Purchase]] = {}
    for purchase in purchases:
        found.setdefault(purchase.currency, []).append(purchase)
    return found


def add(cells: Cells, metric: str, value: str, currency: str, amount: int) -> None:
    """Add an amount to a cell that may not be there yet."""
    cell = Cell(metric, value, currency)
    before = cells.get(cell, 0)
    assert isinstance(before, int)
    cells[cell] = before + amount
