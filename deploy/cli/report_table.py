"""A report on a terminal: a calm table, section by section; and the same values as CSV, one a line."""

import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from dashboard.answers import instant_text, number_of
from dashboard.asking import Report, State, Value
from dashboard.dimensions import asked_dimensions, dimensions_of
from dashboard.export import line, text
from dashboard.numbers import major, plain, rounded, shown
from dashboard.periods import Clock, Span
from deploy.console import console
from schemas.metrics import METRICS, READINGS, SHOWN
from schemas.metrics.model import Metric, Unit

_WIDTH: Final = 110  # of a pipe; a terminal has its own
_NONE: Final = "–"
_ARROWS: Final = {State.UP: "▲", State.DOWN: "▼", State.FLAT: "=", State.NEW: "new"}

CSV_HEADER: Final = (
    "metric", "by", "currency", "current", "previous", "change_pct", "change_pp", "state", "is_provisional",
    "matures_at",
)  # fmt: skip


def show(found: Report, *, explain: bool) -> None:
    """Print the report. `explain`: each metric's definition below it."""
    from rich.padding import Padding
    from rich.text import Text

    out = console(width=None if sys.stdout.isatty() else _WIDTH)
    for row in _head(found):
        out.print(Text(row))
    section = ""
    for metrics in _sections(found):
        if METRICS[metrics[0].metric].section.value != section:
            section = METRICS[metrics[0].metric].section.value
            out.print(Text(f"\n{section.capitalize()}", style="bold"))
        out.print(Padding(_table(metrics, found, explain=explain), (0, 0, 0, 1)))


def _head(found: Report) -> Iterator[str]:
    clock = Clock(found.freshness.zone)
    store = found.freshness
    yield f"{store.name or store.store} · {found.ask.channel or 'all channels'} · {store.zone}"
    name = found.ask.period.value.replace("_", " ")
    resolved = found.resolved
    if resolved.current is None:
        yield f"{name}: no day lies in it yet"
    else:
        against = f", compared with {_days(resolved.previous)}" if resolved.previous else ""
        clamped = " (that month is shorter)" if resolved.comparison_clamped else ""
        yield f"{name}: {_days(resolved.current)}{against}{clamped}"
    past = ", before what is there" if found.as_of_past else ""
    yield f"data as of {clock.local(found.data_as_of):%Y-%m-%d %H:%M:%S}{past}"


def _days(span: Span) -> str:
    return f"{span.first}" if span.first == span.last else f"{span.first} to {span.last}"


def _sections(found: Report) -> list[list[Value]]:
    sections: dict[str, list[Value]] = {}
    for value in found.values:
        sections.setdefault(METRICS[value.metric].section.value, []).append(value)
    return list(sections.values())


def _table(values: list[Value], found: Report, *, explain: bool) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=True, header_style="dim", padding=(0, 2, 0, 0))
    compares = any(METRICS[value.metric].compares for value in values)
    table.add_column("", min_width=42, overflow="fold")
    for name in ("current", *(("previous", "change") if compares else ())):
        table.add_column(name, justify="right", no_wrap=True, min_width=13)
    table.add_column("", overflow="fold")
    clock, last = Clock(found.freshness.zone), ""
    for value in values:
        metric = METRICS[value.metric]
        words = [each or "(none)" for each in value.by]
        if value.currency and not metric.is_money:
            words.append(value.currency)
        label, told = metric.name, " · ".join(words)
        if told:
            label = f"  {told}"
            if last != metric.name:
                table.add_row(Text(metric.name))
                _explain(table, metric, explain=explain)
        cells = [amount(value.current, metric, value)]
        if compares:
            cells += [amount(value.previous, metric, value), change(value)] if metric.compares else ["", ""]
        table.add_row(Text(label), *map(Text, cells), Text(note(value, metric, clock), style="dim"))
        if not told and last != metric.name:
            _explain(table, metric, explain=explain)
        last = metric.name
    return table


def _explain(table: Any, metric: Metric, *, explain: bool) -> None:
    from rich.text import Text

    if explain:
        table.add_row(Text(f"  {metric.number}: {metric.says} Day: {metric.day}.", style="dim italic"))


def amount(number: Any, metric: Metric, value: Value) -> str:
    """A number with its unit, for people: 1,234 or 1,234.50 EUR or 12.34 %."""
    if number is None:
        return _NONE
    if metric.is_money:
        return f"{major(number, value.exponent or 0):,f} {value.currency}"
    if isinstance(number, int):
        return f"{number:,}"
    two = rounded(number, 2)
    return f"{two:,f} %" if metric.unit is Unit.PERCENT else f"{two:,f}"


def change(value: Value) -> str:
    """How it moved: percentage points for what is in percent, percent for the rest."""
    if value.state is None:
        return _NONE
    arrow = _ARROWS[value.state]
    if value.state in (State.FLAT, State.NEW):
        return arrow
    if value.change_pp is not None:
        return f"{arrow} {rounded(abs(value.change_pp), 2):,f} pp"
    return _NONE if value.change_pct is None else f"{arrow} {rounded(abs(value.change_pct), 1):,f} %"


def note(value: Value, metric: Metric, clock: Clock) -> str:
    """What else a reader must know of the number."""
    notes = []
    if metric.grain.value == "G":
        notes.append("now")
    if value.inferred:
        notes.append("as seen in the last 24 hours")
    if value.left_out or value.previous_left_out:
        notes.append(f"without a rate: {value.left_out or 0}, before {value.previous_left_out or 0}")
    elif value.is_provisional:
        until = f" until {clock.local(value.matures_at):%Y-%m-%d %H:%M}" if value.matures_at else ""
        notes.append(f"provisional{until}")
    return ", ".join(notes)


def csv_of(found: Report) -> Iterator[str]:
    """Every value as a record; `by` as name=value with semicolons. Exact as in JSON."""
    yield line(CSV_HEADER)
    clock = Clock(found.freshness.zone)
    for value in found.values:
        metric = METRICS[value.metric]
        names = dimensions_of(metric, found.ask.by)
        told = ";".join(f"{name}={each}" for name, each in zip(names, value.by, strict=False))
        numbers = [number_of(number, metric, value) for number in (value.current, value.previous)]
        until = value.matures_at
        yield line(
            (
                value.metric,
                text(told),
                value.currency or "",
                *("" if number is None else f"{Decimal(number):f}" for number in numbers),
                *("" if each is None else plain(shown(each)) for each in (value.change_pct, value.change_pp)),
                value.state.value if value.state else "",
                "1" if value.is_provisional else "0",
                "" if until is None else instant_text(until, clock),
            )
        )


def show_catalogue() -> None:
    """Print the catalogue, section by section."""
    from rich.table import Table
    from rich.text import Text

    section = ""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(no_wrap=True)  # a name is for copying
    table.add_column(overflow="fold")
    for name in SHOWN:
        metric = METRICS[name]
        if metric.section.value != section:
            section = metric.section.value
            table.add_row(Text(""))
            table.add_row(Text(section.capitalize(), style="bold"))
        by = ", ".join(asked_dimensions(name))
        table.add_row(
            Text(f" {metric.number}"), Text(name), Text(f"{metric.says}{f' By {by}.' if by else ''}")
        )
    for reading in READINGS:
        table.add_row(
            Text(f" {reading.number}"), Text(reading.name), Text(f"{reading.says} See {reading.where}.")
        )
    console(width=None if sys.stdout.isatty() else _WIDTH).print(table)
