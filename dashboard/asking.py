"""What a report may be asked for, and what it answers: exact numbers, with the dates they are of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction

from dashboard.periods import Compare, Convention, Period, Resolved
from schemas.metrics.model import Metric
from schemas.stores import Store

Number = int | Fraction
"""Counts and money as int (money in minor units), quotients as Fraction; percent is 0 to 100."""


class AskError(ValueError):
    """What was asked can't be answered. The message says what is wrong and what may be asked."""


class UnknownStore(AskError):
    """The store is not configured; the message names those that are."""


class State(StrEnum):
    """How a value moved against the previous period (H104)."""

    NEW = "new"
    FLAT = "flat"
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One question. `as_of`: epoch ms, None for the newest; `channel` None: all together; `metrics` empty: all."""

    store: str
    period: Period = Period.LAST_30_DAYS
    first: date | None = None
    last: date | None = None
    channel: str | None = None
    convention: Convention = Convention.NAMED
    compare: Compare = Compare.CALENDAR
    as_of: int | None = None
    by: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Freshness:
    """Of a store: what it is, and how far its data is."""

    store: str
    name: str
    zone: str
    currency: str
    complete_until: int
    """All rows before this instant (epoch ms) are there; 0 if nothing ever came."""
    settings: Store
    """As the migration told ClickHouse: windows, and how the customer base is looked at."""
    longest_session: timedelta
    """What belongs to a session may be so much later than the day that it is stored by; 0: two days at most."""

    def currency_of(self, metric: Metric) -> str:
        """In which currency a metric is 0 where nothing was sold."""
        return self.settings.reporting_currency if metric.reporting else self.currency


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One number and what it is compared with. Everything is None in an empty period."""

    metric: str
    by: tuple[str, ...] = ()
    """Values of the asked dimensions, in the asked order."""
    currency: str | None = None
    """Given exactly for money, and for what was asked by currency."""
    exponent: int | None = None
    """Digits of the currency's minor unit."""
    current: Number | None = None
    previous: Number | None = None
    change_pct: Fraction | None = None
    change_pp: Fraction | None = None
    """Percentage points, of metrics in percent."""
    state: State | None = None
    numerator: int | None = None
    denominator: int | None = None
    """Of a ratio in the current period."""
    previous_numerator: int | None = None
    previous_denominator: int | None = None
    is_provisional: bool = False
    """The current value may still change by itself, as time goes on."""
    matures_at: int | None = None
    """Epoch ms when it no longer can; None if it is final or nobody knows."""
    left_out: int | None = None
    previous_left_out: int | None = None
    """Of a sum in the reporting currency: how many orders, and things taken back, have no rate and are not in it. The
    value is provisional then, and is not compared."""
    inferred: bool = False
    """A gauge of a store without definitions: what was seen in the last 24 hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The answer, with the dates that the period meant."""

    ask: Ask
    freshness: Freshness
    data_as_of: int
    """Epoch ms; rows at or after it are not counted."""
    as_of_past: bool
    """`data_as_of` lies before what is there: later changes inside older rows stay in (H16)."""
    resolved: Resolved
    values: Sequence[Value]

    def one(self, metric: str, *by: str, currency: str | None = None) -> Value:
        """The only value of a metric; KeyError if there is none or several (then name the currency)."""
        found = [
            each
            for each in self.values
            if (each.metric, each.by) == (metric, by) and (currency is None or each.currency == currency)
        ]
        if len(found) != 1:
            raise KeyError(f"{metric} by {by} in {currency}: {len(found)} values")
        return found[0]
