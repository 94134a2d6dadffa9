"""From chosen metrics to the queries of a report: one for each fact, parameters bound, names from the catalogue only."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

from dashboard.asking import Freshness
from dashboard.periods import Resolved, Span
from schemas.metrics import FACTS, METRICS
from schemas.metrics.grains import needed
from schemas.metrics.model import CURRENCY, Metric, Unit
from schemas.metrics.sql import Frame, cut_of, select
from schemas.stores import Store

# Rows are born on days of UTC, dates are the store's; and a session may reach two days on without being counted in
# `longest_session`.
_ZONES: Final = timedelta(days=3)

CURRENT: Final = 1
PREVIOUS: Final = 2

_STORE: Final = "store_id = {store:String}"


def instant_sql(name: str) -> str:
    """A bound parameter in epoch ms as an instant."""
    return f"fromUnixTimestamp64Milli({{{name}:Int64}}, 'UTC')"


@dataclass(frozen=True, slots=True)
class Question:
    """One query. Its answer has the columns `bucket`, `keys` and `parts`."""

    fact: str
    by: tuple[str, ...]
    keys: tuple[str, ...]
    parts: tuple[str, ...]
    sql: str


def questions(
    names: Iterable[str],
    by: tuple[str, ...],
    frame: Frame,
    metrics: Mapping[str, Metric] = METRICS,
) -> list[Question]:
    """The fewest queries that answer these metrics: one for each fact and set of dimensions."""
    groups: dict[tuple[str, tuple[str, ...]], dict[str, str]] = {}
    for name in names:
        for part, dimensions in needed(name, by, metrics):
            cut = cut_of(metrics[part], dimensions, FACTS)
            if cut is None:
                raise ValueError(f"{part} can't be told apart by {', '.join(dimensions)}")
            groups.setdefault((cut.fact, dimensions), {})[part] = _column(metrics[part], cut.sql)
    found = []
    for (fact, dimensions), aggregates in groups.items():
        keys = tuple(each for each in dimensions if each != CURRENCY)
        if FACTS[fact].has_currency:
            keys += (CURRENCY,)
        asked = replace(frame, keys=keys)
        columns = {f"{part}_": sql for part, sql in aggregates.items()}
        found.append(Question(fact, dimensions, keys, tuple(aggregates), select(FACTS[fact], columns, asked)))
    return found


def _column(metric: Metric, sql: str) -> str:
    # Epoch ms: a date and time would come back through the reader's own clock.
    return f"toUnixTimestamp64Milli({sql})" if metric.unit is Unit.INSTANT else sql


def frame_of(resolved: Resolved, channel: str | None, *, daily: bool = False) -> Frame:
    """What the queries of a period are asked within; with `daily` a bucket is a store date. See `parameters`."""
    spans = dict(_spans(resolved))
    inside = {name: f"({_since(name)} AND {_until(name, span)})" for name, span in spans.items()}
    numbers = {"current": CURRENT, "previous": PREVIOUS}
    buckets = ", ".join(f"{condition}, {numbers[name]}" for name, condition in inside.items())
    return Frame(
        store=_STORE,
        whole=f"{_STORE} AND born <= {{born_to:Date}}",
        scope=f"{_STORE} AND born >= {{born_from:Date}} AND born <= {{born_to:Date}}",
        as_of=instant_sql("as_of"),
        cut=instant_sql("as_of"),
        bucket="$date" if daily else f"multiIf({buckets}, 0)",
        counts=f"({' OR '.join(inside.values())})",
        channel="{channel:String}" if channel is not None else "",
        side="" if daily else _side(spans),
    )


def _since(name: str) -> str:
    return f"$date >= {{{name}_first:Date}}"


def _until(name: str, span: Span) -> str:
    # Whole days are told by their dates alone: a date takes a quarter of an instant's bytes, and nearly no time to read.
    whole = f"$date <= {{{name}_last:Date}}"
    return f"{whole} AND $at < {instant_sql(f'{name}_end')}" if span.is_cut else whole


def _side(spans: Mapping[str, Span]) -> str:
    """Where a row lies, as a bit: see `schemas.metrics.model`. The previous period ends before the current one begins."""
    current, previous = (_until(name, spans[name]) for name in ("current", "previous"))
    return f"multiIf(NOT ({current}), 0, {_since('current')}, 8, NOT ({previous}), 4, {_since('previous')}, 2, 1)"


def parameters(known: Freshness, resolved: Resolved, as_of: int, channel: str | None) -> dict[str, Any]:
    """The values of everything that a query of this period binds."""
    spans = _spans(resolved)
    first = min(span.first for _, span in spans)
    last = max(span.last for _, span in spans)
    bound: dict[str, Any] = {
        "store": known.store,
        "as_of": as_of,
        "born_from": born_by(known.settings, first) - known.longest_session,
        "born_to": last
        + timedelta(milliseconds=2 * known.settings.retention_ms)
        + _ZONES
        + known.longest_session,
    }
    if channel is not None:
        bound["channel"] = channel
    for name, span in spans:
        bound |= {f"{name}_first": span.first, f"{name}_last": span.last, f"{name}_end": span.end}
    return bound


def born_by(settings: Store, day: date) -> date:
    """The first day under which rows may stand whose dates are `day` or later.

    A row stands under the day it was born. Its dates may lie earlier by what came late; what confirms a session comes up
    to a window after it. Of sessions that last for days see `Freshness.longest_session`.
    """
    return day - timedelta(milliseconds=settings.retention_ms + settings.allowed_lateness_ms) - _ZONES


def _spans(resolved: Resolved) -> list[tuple[str, Span]]:
    named = (("current", resolved.current), ("previous", resolved.previous))
    return [(name, span) for name, span in named if span is not None]
