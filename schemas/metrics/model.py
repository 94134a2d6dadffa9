"""What a fact and a metric are: frozen data that views, report, docs and API are made from.

A **fact** is where rows come from: a table read with FINAL (or a query over one) and the fields that may be used of it.
A **metric** is a number that is shown. It is one of: an aggregate over a fact (`sql`), a sum and difference of other
metrics (`plus`, `minus`), a ratio of two (`numerator`, `denominator`), or a column of a whole query (`query`). A ratio is
never stored: it is divided at the grain that is shown.

SQL texts here may hold these marks, filled in by `schemas.metrics.sql`:

$store   the store's rows of all days          $whole   those born up to the period's end
$scope   those born around the period         $recent  the first day born that may still be a session's now
$as_of   data_as_of, by which a row is judged  $cut     rows at or after it are left out
$bucket  the period or day a row belongs to    $counts  whether it belongs to one
$at      the fact's instant                    $date    its store date
$side    8, 4, 2, 1: in the current period, between the two, in the previous one, before it; 0: after both
$channel the channel filter                    $keys    the asked dimensions, each followed by a comma
$rows, $where  of the fact
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Unit(StrEnum):
    """What a value is counted in."""

    COUNT = "count"
    MONEY = "money"  # minor units, always per currency
    PERCENT = "percent"  # 0 to 100
    NUMBER = "number"
    INSTANT = "instant"  # epoch milliseconds; only of parts


class Grain(StrEnum):
    """How values of days become the value of a period."""

    ADDITIVE = "A"
    DISTINCT = "D"  # a distinct count: asked again for the whole period
    RATIO = "R"  # both sides added up, then divided
    SNAPSHOT = "S"  # as of an instant
    GAUGE = "G"  # now; has no period


class Section(StrEnum):
    """Where a metric stands on the page."""

    SESSIONS = "sessions"
    PERSONALIZATION = "personalization"
    RECOMMENDATIONS = "recommendations"
    JOURNEYS = "journeys"
    CONVERSATIONS = "conversations"
    ORDERS = "orders"
    GAUGES = "gauges"
    CUSTOMERS = "customers"


class CatalogueError(ValueError):
    """An entry of the catalogue that can't be. The message names the entry, what is wrong, and what to write."""


CHANNEL: Final = "channel"
CURRENCY: Final = "currency"


@dataclass(frozen=True, slots=True)
class Field:
    """A column that metrics over a fact may use; `sql` reads it from the fact's rows."""

    name: str
    says: str
    sql: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Rows of one kind. Every fact has the fields `store_id`, `channel`, an instant and a store date."""

    name: str
    says: str
    rows: str
    """Table expression behind FROM, with FINAL."""
    where: str = "$scope"
    at: str
    """SQL of the instant that puts a row into a period."""
    date: str
    """SQL of the store date of `at`."""
    fields: tuple[Field, ...]
    key: tuple[str, ...] = ()
    """Given for rows that are exploded by dimensions: each (key, asked dimensions) counts once."""
    inner: str = ""
    """A SELECT in place of the usual one over `rows`; it yields `bucket`, the keys and all fields."""
    inner_of_two: str = ""
    """The same where buckets are 1 and 2, the current period and the previous one, if that can be had for less."""
    extra: tuple[str, ...] = ()
    """Fields that cost more: only who asks for one pays for it."""
    inner_extra: str = ""
    """The inner SELECT that has these fields, too."""

    @property
    def names(self) -> frozenset[str]:
        """What a metric may name."""
        return frozenset(each.name for each in self.fields)

    @property
    def has_currency(self) -> bool:
        """Its amounts stand in the row's currency: never added up over two."""
        return CURRENCY in self.names


@dataclass(frozen=True, slots=True)
class Cut:
    """How a metric is counted when it is told apart by dimensions that its own fact does not have."""

    fact: str
    sql: str
    dimensions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Maturity:
    """A value that still grows. All are names of parts over the metric's own fact."""

    pending: str
    """How many rows may still change: 0 means final."""
    matures_at: str = ""
    """The instant of the last of them; empty: nobody knows."""
    numerator: str = ""
    """With `denominator`: the matured rows alone, which the change compares (H78); empty: the change takes all."""
    denominator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number of a dashboard, or with `part` a number that others are made of."""

    number: str
    """The M-number of the contract, shared by paired columns and parts."""
    name: str
    section: Section
    says: str
    """The definition, one sentence: what is counted, dated by what."""
    unit: Unit
    grain: Grain
    origin: str
    """Where it is decided: E and H numbers."""
    dimensions: tuple[str, ...] = ()
    """Fields of its own fact by which it may be told apart, besides channel."""
    fact: str = ""
    sql: str = ""
    cuts: tuple[Cut, ...] = ()
    plus: tuple[str, ...] = ()
    minus: tuple[str, ...] = ()
    numerator: str = ""
    denominator: str = ""
    always: tuple[str, ...] = ()
    """Dimensions that its values are told apart by without being asked: a report shows a month, or a group, each."""
    over_all: tuple[str, ...] = ()
    """Dimensions that only the numerator is told apart by: the denominator is that of all."""
    maturity: Maturity | None = None
    query: str = ""
    """Name of the whole query that answers it."""
    part: bool = False
    day: str = ""
    """Which day it counts on."""
    reporting: bool = False
    """Of a store's reporting currency: there are values only if the store has one (see `reporting`)."""
    left_out: tuple[str, ...] = ()
    """Counts over the same rows of what its values lack: while there is any they still grow, and say so."""

    @property
    def is_money(self) -> bool:
        """Its values are told apart by currency."""
        return self.unit is Unit.MONEY

    @property
    def compares(self) -> bool:
        """It has a previous period (H97: gauges, snapshots and the months of the customer base have none)."""
        return self.grain not in (Grain.GAUGE, Grain.SNAPSHOT) and self.section is not Section.CUSTOMERS

    @property
    def made_of(self) -> tuple[str, ...]:
        """Names of the metrics it is computed from."""
        sides: tuple[str, ...] = tuple(filter(None, (self.numerator, self.denominator)))
        if self.maturity is not None:
            late = self.maturity
            sides += tuple(filter(None, (late.pending, late.matures_at, late.numerator, late.denominator)))
        return (*self.plus, *self.minus, *sides, *self.left_out)


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query, for metrics that no single fact gives; it may use the marks above."""

    name: str
    says: str
    sql: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A numbered line of the contract that is a way to read other metrics, not a number of its own."""

    number: str
    name: str
    says: str
    where: str
