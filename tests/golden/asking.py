"""What a golden case of metrics is: events in, questions with their answers worked out by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from schemas.rates import HEADER
from schemas.stores import Store
from tests.golden.case import Case
from tests.oracle.metrics.cells import Cell, Value
from tests.oracle.records import RawRecord
from tests.oracle.wire import Sent, raw_records

Name = str | tuple[str, str] | tuple[str, str, str]
Answers = Mapping[Name, Value]
"""metric, (metric, dimension value) or (metric, dimension value, currency) -> value; money in minor units."""


@dataclass(frozen=True)
class Ask:
    """One question: a period as `resolve_period` takes it, and the cells of the answer that the case is about."""

    period: str
    as_of: int
    answers: Answers
    first: date | None = None
    last: date | None = None
    channel: str | None = None
    by: str | None = None
    literal: bool = False
    shift: bool = False
    previous: Answers = field(default_factory=dict)

    @property
    def cells(self) -> dict[Cell, Value]:
        """The answers by cell."""
        return {cell_of(name): value for name, value in self.answers.items()}

    @property
    def previous_cells(self) -> dict[Cell, Value]:
        """The answers of the previous period by cell."""
        return {cell_of(name): value for name, value in self.previous.items()}


def cell_of(name: Name) -> Cell:
    """A cell by its short name."""
    return Cell(name) if isinstance(name, str) else Cell(*name)


@dataclass(frozen=True)
class MetricCase:
    """Events of store acme and what is asked about them."""

    name: str
    events: Sequence[Sent]
    asks: Sequence[Ask]
    store: Store = field(default_factory=Store)
    rates_csv: str = HEADER + "\n"
    """What currencies are worth (E4), as the operator's file says it."""

    @property
    def stores(self) -> dict[str, Store]:
        """The one store."""
        return {"acme": self.store}

    @property
    def records(self) -> list[RawRecord]:
        """The events as raw records, in the order they happened."""
        return raw_records(self.events)


def about(case: Case, *asks: Ask) -> MetricCase:
    """Questions about the events of a case of rows."""
    return MetricCase(case.name, case.events, asks, case.stores["acme"])


def percent(part: int, whole: int) -> Fraction:
    """100 * part / whole, exactly."""
    return Fraction(100 * part, whole)
