"""Metrics by store date: every day computed as a period of its own (H107), with the previous period's days beside."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from dashboard.asking import Ask, AskError, Freshness, Number
from dashboard.compiling import frame_of, parameters, questions
from dashboard.dimensions import can_be_told_apart
from dashboard.freshness import freshness
from dashboard.measured import Key, Measured, ratio
from dashboard.periods import Resolved, Span, resolve
from dashboard.report import chosen, fetch, has
from dashboard.values import left_out
from schemas.currencies import EXPONENTS
from schemas.metrics import METRICS, SHOWN
from schemas.metrics.model import CURRENCY

MOST_POINTS: Final = 100_000
"""A year of 270 lines: eight megabytes, and some two seconds in which the server's one thread answers nobody else."""


@dataclass(frozen=True, slots=True)
class Point:
    """A day, and the day at the same place of the previous period. None: a ratio of nothing, or no such day."""

    day: date
    current: Number | None
    previous_day: date | None = None
    previous: Number | None = None
    left_out: int | None = None
    previous_left_out: int | None = None
    """As those of a report's value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One metric over the days of the period, ascending; days without anything are 0."""

    metric: str
    by: tuple[str, ...]
    currency: str | None
    exponent: int | None
    points: Sequence[Point]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The answer; no lines in an empty period (H103)."""

    ask: Ask
    freshness: Freshness
    data_as_of: int
    as_of_past: bool
    resolved: Resolved
    lines: Sequence[Line]


async def series(client: Any, ask: Ask) -> Series:
    """The answer. `client`: clickhouse-connect's, asynchronous. AskError, PeriodError, and the client's errors."""
    known, as_of, resolved = await located(client, ask)
    return Series(
        ask=ask,
        freshness=known,
        data_as_of=as_of,
        as_of_past=as_of < known.complete_until,
        resolved=resolved,
        lines=await daily(client, ask, known, as_of, resolved),
    )


async def located(client: Any, ask: Ask) -> tuple[Freshness, int, Resolved]:
    """The store, `data_as_of` in epoch ms, and the dates that are asked."""
    known = await freshness(client, ask.store)
    as_of = known.complete_until if ask.as_of is None else ask.as_of
    resolved = resolve(
        ask.period,
        as_of=as_of,
        zone=known.zone,
        first=ask.first,
        last=ask.last,
        convention=ask.convention,
        compare=ask.compare,
    )
    return known, as_of, resolved


async def daily(client: Any, ask: Ask, known: Freshness, as_of: int, resolved: Resolved) -> list[Line]:
    """The lines of resolved dates; without a previous period only the current days are read."""
    names = _chosen(ask, known)
    if resolved.current is None:
        return []
    _require_few(len(names), resolved.current)
    measured = Measured(ask.by)
    asked = questions(names, ask.by, frame_of(resolved, ask.channel, daily=True))
    await fetch(client, asked, parameters(known, resolved, as_of, ask.channel), measured)
    keys = {name: _keys(name, ask, known, measured) for name in names}
    _require_few(sum(map(len, keys.values())), resolved.current)
    return [line for name in names for line in _lines(name, keys[name], measured, resolved)]


def _chosen(ask: Ask, known: Freshness) -> tuple[str, ...]:
    """Names of what has days. Raises AskError."""
    if not ask.metrics:
        names = tuple(
            name
            for name in SHOWN
            if not METRICS[name].query and has(known, name) and can_be_told_apart(name, ask.by)
        )
        if not names:
            raise AskError(f"no metric with a daily series can be told apart by {', '.join(ask.by)}")
        return names
    names = chosen(ask, known)
    if wrong := [name for name in names if METRICS[name].query]:
        raise AskError(f"{', '.join(wrong)}: as of an instant, not of days; ask for a report")
    return names


def _require_few(lines: int, span: Span) -> None:
    """Refuse what would take the memory of the server, and its thread for minutes. Raises AskError."""
    days = (span.last - span.first).days + 1
    if lines * days > MOST_POINTS:
        raise AskError(
            f"{lines} lines of {days} days are {lines * days} points, and at most {MOST_POINTS} are told at once;"
            " ask for fewer days or metrics, or by less"
        )


def _keys(name: str, ask: Ask, known: Freshness, measured: Measured) -> list[Key]:
    """What the lines of a metric are told apart by."""
    metric = METRICS[name]
    told = metric.is_money or CURRENCY in ask.by
    keys = measured.keys(name, by_currency=told)
    if told and not keys and not set(ask.by) - {CURRENCY}:
        keys = [((), known.currency_of(metric))]  # nothing was sold: that is 0, not unknown
    return keys


def _lines(name: str, keys: Sequence[Key], measured: Measured, resolved: Resolved) -> Iterator[Line]:
    metric = METRICS[name]
    current = resolved.current.days if resolved.current else ()
    previous = resolved.previous.days if resolved.previous else ()
    for key in keys:
        points = []
        for place, day in enumerate(current):
            before = previous[place] if place < len(previous) else None
            points.append(
                Point(
                    day,
                    _number(name, measured, day, key),
                    before,
                    None if before is None else _number(name, measured, before, key),
                    left_out(metric, measured, day, key),
                    None if before is None else left_out(metric, measured, before, key),
                )
            )
        yield Line(
            metric=name,
            by=key[0],
            currency=key[1],
            exponent=EXPONENTS[key[1]] if key[1] else None,
            points=points,
        )


def _number(name: str, measured: Measured, day: date, key: Key) -> Number | None:
    metric = METRICS[name]
    if metric.numerator:
        return ratio(metric, measured.sides(name, day, key))
    return measured.number(name, day, key)
