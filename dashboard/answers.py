"""Answers as JSON: the same words for the API and the command line. Numbers are decimals as written, never floats."""

from decimal import Decimal
from typing import Any, Final

import msgspec

from dashboard.asking import Freshness, Report, Value
from dashboard.dimensions import asked_dimensions, dimensions_of
from dashboard.numbers import major, shown
from dashboard.periods import Clock, Span
from dashboard.series import Line, Point, Series
from schemas.metrics import METRICS, READINGS, SHOWN
from schemas.metrics.model import Metric, Unit

_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


def encoded(answer: object) -> bytes:
    """JSON as UTF-8; a Decimal is a number with its digits."""
    return _ENCODER.encode(answer)


def report_answer(found: Report) -> dict[str, Any]:
    """A report; see docs/openapi.json for every member."""
    clock = Clock(found.freshness.zone)
    values = [value_answer(value, found.ask.by, clock) for value in found.values]
    return {**_head(found, clock), "values": values}


def series_answer(found: Series) -> dict[str, Any]:
    """Daily lines, likewise."""
    clock = Clock(found.freshness.zone)
    return {**_head(found, clock), "lines": [_line(line, found.ask.by) for line in found.lines]}


def _head(found: Report | Series, clock: Clock) -> dict[str, Any]:
    resolved = found.resolved
    return {
        "store": _store(found.freshness),
        "period": {
            "name": found.ask.period.value,
            "convention": found.ask.convention.value,
            "compare": found.ask.compare.value,
            "current": _span(resolved.current, clock),
            "previous": _span(resolved.previous, clock),
            "empty_period": resolved.empty_period,
            "comparison_clamped": resolved.comparison_clamped,
        },
        "channel": found.ask.channel,
        "by": list(found.ask.by),
        "data_as_of": instant_text(found.data_as_of, clock),
        "as_of_past": found.as_of_past,
    }


def _store(known: Freshness) -> dict[str, str]:
    told = {"id": known.store, "name": known.name, "zone": known.zone, "currency": known.currency}
    reporting = known.settings.reporting_currency
    return {**told, "reporting_currency": reporting} if reporting else told


def _left_out(value: Value | Point, metric: Metric) -> dict[str, int | None]:
    """What a sum in the reporting currency lacks; nothing of any other value."""
    if not metric.left_out:
        return {}
    return {"left_out": value.left_out, "previous_left_out": value.previous_left_out}


def _line(line: Line, by: tuple[str, ...]) -> dict[str, Any]:
    metric = METRICS[line.metric]
    return {
        "metric": line.metric,
        "by": dict(zip(dimensions_of(metric, by), line.by, strict=True)),
        "currency": line.currency,
        "points": [
            {
                "date": point.day.isoformat(),
                "current": number_of(point.current, metric, line),
                "previous_date": point.previous_day.isoformat() if point.previous_day else None,
                "previous": number_of(point.previous, metric, line),
                **_left_out(point, metric),
            }
            for point in line.points
        ],
    }


def value_answer(value: Value, by: tuple[str, ...], clock: Clock) -> dict[str, Any]:
    """One value of a report."""
    metric = METRICS[value.metric]
    return {
        "metric": value.metric,
        "by": dict(zip(dimensions_of(metric, by), value.by, strict=False)),
        "currency": value.currency,
        "current": number_of(value.current, metric, value),
        "previous": number_of(value.previous, metric, value),
        "change_pct": None if value.change_pct is None else shown(value.change_pct),
        "change_pp": None if value.change_pp is None else shown(value.change_pp),
        "state": None if value.state is None else value.state.value,
        "numerator": value.numerator,
        "denominator": value.denominator,
        "previous_numerator": value.previous_numerator,
        "previous_denominator": value.previous_denominator,
        "is_provisional": value.is_provisional,
        "matures_at": None if value.matures_at is None else instant_text(value.matures_at, clock),
        "inferred": value.inferred,
        **_left_out(value, metric),
    }


def number_of(number: Any, metric: Metric, value: Value | Line) -> int | Decimal | None:
    """A count as it is, money in major units with the currency's digits, a quotient with twelve digits at most."""
    if number is None:
        return None
    if metric.unit is Unit.MONEY and value.exponent is not None:
        if isinstance(number, int):
            return major(number, value.exponent)
        return shown(number / 10**value.exponent)
    return number if isinstance(number, int) else shown(number)


def metrics_answer() -> dict[str, Any]:
    """The catalogue: every metric that a report shows, and the readings that are no numbers of their own."""
    return {
        "metrics": [metric_answer(METRICS[name]) for name in SHOWN],
        "readings": [
            {"number": each.number, "name": each.name, "definition": each.says, "where": each.where}
            for each in READINGS
        ],
    }


def metric_answer(metric: Metric) -> dict[str, Any]:
    """One entry of the catalogue."""
    return {
        "name": metric.name,
        "number": metric.number,
        "section": metric.section.value,
        "definition": metric.says,
        "day": metric.day,
        "unit": metric.unit.value,
        "grain": metric.grain.value,
        "dimensions": list(asked_dimensions(metric.name)),
        "numerator": metric.numerator or None,
        "denominator": metric.denominator or None,
        "compares": metric.compares,
        "origin": metric.origin,
    }


def _span(span: Span | None, clock: Clock) -> dict[str, str] | None:
    if span is None:
        return None
    return {
        "from": span.first.isoformat(),
        "to": span.last.isoformat(),
        "start": instant_text(span.start, clock),
        "end": instant_text(span.end, clock),
    }


def instant_text(instant: int, clock: Clock) -> str:
    """RFC 3339 in the store's zone, with milliseconds."""
    return clock.local(instant).isoformat(timespec="milliseconds")
