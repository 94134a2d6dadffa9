"""The lines of the page's two CSV files, read a quarter at a time: a file of any length is streamed, none is cut."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Final

from dashboard.asking import Ask, Number
from dashboard.export import COLUMNS, SALES_COLUMNS, Kind, Language, header, sales_line, sessions_line
from dashboard.periods import Clock, Resolved, Span
from dashboard.report import report
from dashboard.series import Line, daily, located
from schemas.currencies import EXPONENTS
from schemas.metrics import METRICS
from schemas.metrics.model import CURRENCY

CHUNK_DAYS: Final = 92
_DAY: Final = timedelta(days=1)


async def csv_lines(client: Any, ask: Ask, kind: Kind, language: Language) -> AsyncIterator[str]:
    """The file, line by line; an empty period is the header alone (H106). Errors of `series` come before it."""
    known, as_of, resolved = await located(client, ask)
    asked = replace(ask, as_of=as_of, metrics=COLUMNS, by=())
    currencies: list[str] = []
    if kind is Kind.SALES:
        asked = replace(asked, metrics=SALES_COLUMNS, by=(CURRENCY,))
        currencies = await _currencies(client, asked) or [known.currency]
    yield header(kind, language)
    for span in _chunks(resolved.current, Clock(known.zone)):
        lines = await daily(client, asked, known, as_of, Resolved(span, None))
        if kind is Kind.SALES:
            sold = {currency: _by_day(lines, currency) for currency in currencies}
            for day in span.days:
                for currency in currencies:
                    yield sales_line(day, currency, EXPONENTS[currency], _sold(sold[currency].get(day, {})))
        else:
            days = _by_day(lines, None)
            for day in span.days:
                yield sessions_line(day, days[day])


def file_name(ask: Ask, kind: Kind) -> str:
    """What a browser saves it as."""
    days = f"{ask.first}_{ask.last}" if ask.first else ask.period.value
    return f"{ask.store}_{kind.value}_{days}.csv"


async def _currencies(client: Any, asked: Ask) -> list[str]:
    """Currencies of the orders of the whole period, ascending (H109)."""
    found = await report(client, replace(asked, metrics=("total_orders",)))
    return [value.currency for value in found.values if value.current and value.currency]


def _chunks(span: Span | None, clock: Clock) -> Iterator[Span]:
    """The days of a span, so many at a time; the last ends where the span does, be it within a day."""
    first = span.first if span else None
    while span is not None and first is not None and first <= span.last:
        last = min(first + (CHUNK_DAYS - 1) * _DAY, span.last)
        end = span.end if last == span.last else clock.start(last + _DAY)
        yield Span(first, last, clock.start(first), end, is_cut=span.is_cut and last == span.last)
        first = last + _DAY


def _by_day(lines: Iterable[Line], currency: str | None) -> dict[date, dict[str, Number | None]]:
    days: dict[date, dict[str, Number | None]] = {}
    for line in lines:
        if line.currency == currency:
            for point in line.points:
                days.setdefault(point.day, {})[line.metric] = point.current
    return days


def _sold(numbers: Mapping[str, Number | None]) -> dict[str, Number | None]:
    """A day of one currency; where its lines do not tell it nothing was sold: 0, and no quotients."""
    nothing: dict[str, Number | None] = {
        name: None if METRICS[name].numerator else 0 for name in SALES_COLUMNS
    }
    return {**nothing, **numbers}
