"""docs/metrics.md: every metric of the catalogue, in words."""

from collections.abc import Iterable, Mapping
from typing import Final

from schemas.metrics import FACTS, METRICS, QUERIES, READINGS, customer_views
from schemas.metrics.grains import dimensions
from schemas.metrics.model import Grain, Metric, Section
from schemas.metrics.views import VIEWS, metrics_of

FILE: Final = "docs/metrics.md"

_HEAD: Final = """\
# Metrics

<!-- Rendered from schemas/metrics/ by `make render`; do not edit. -->

Each metric stands once, as data, in `schemas/metrics/`: from it come the views of ClickHouse, `shopmeter report`, the
HTTP API and this page. A new metric over existing facts is one entry there.

Codes such as E19 and H70 are of the [contract](contract/README.md). Reports and views show money in major units; a view's
column `<name>_minor` is the exact integer. It is never added up over two currencies. Percentages are 0 to 100. A
quotient with the denominator 0 is null. Every metric but the gauges can be asked of one channel, and told apart by it.

| grain | values of days become that of a period |
|---|---|
| A | by adding up |
| D | never: a distinct count, asked again for the period |
| R | by adding up both sides, then dividing |
| S | never: as of an instant |
| G | never: now |
"""

_TITLES: Final = {
    Section.SESSIONS: "Sessions",
    Section.PERSONALIZATION: "Personalisation",
    Section.RECOMMENDATIONS: "Recommendations",
    Section.JOURNEYS: "Journeys",
    Section.CONVERSATIONS: "Channel sessions, users and support",
    Section.ORDERS: "Orders and revenue",
    Section.GAUGES: "At this moment",
    Section.CUSTOMERS: "Customer base",
}


def rendered_page(metrics: Mapping[str, Metric] = METRICS) -> str:
    """The page."""
    parts = [_HEAD]
    for section in Section:
        mine = {name: metric for name, metric in metrics.items() if metric.section is section}
        shown = [metric for metric in mine.values() if not metric.part]
        parts.append(f"## {_TITLES[section]}\n\n{_table(shown, metrics)}")
        if helpers := [metric for metric in mine.values() if metric.part]:
            parts.append(f"Made of these, which can be asked for by name too:\n\n{_table(helpers, metrics)}")
    parts += [_readings(), _views(metrics), _facts()]
    return "\n".join(parts)


def _table(shown: Iterable[Metric], metrics: Mapping[str, Metric]) -> str:
    lines = [
        "| | name | definition | unit, grain | counts on | told apart by | decided in |",
        "|---|---|---|---|---|---|---|",
    ]
    for metric in shown:
        told = ", ".join(f"`{each}`" for each in _told_apart(metric, metrics)) or "–"
        lines.append(
            f"| {metric.number} | `{metric.name}` | {metric.says}{_formula(metric)} | {metric.unit}, {metric.grain} |"
            f" {metric.day} | {told} | {metric.origin} |"
        )
    return "\n".join(lines) + "\n"


def _told_apart(metric: Metric, metrics: Mapping[str, Metric]) -> tuple[str, ...]:
    if metric.query:
        return (*metric.always, *metric.dimensions)
    return dimensions(metric.name, metrics)


def _formula(metric: Metric) -> str:
    if metric.grain is Grain.RATIO and metric.numerator:
        return f" `{metric.numerator}` / `{metric.denominator}`"
    if metric.plus:
        plus = " + ".join(f"`{each}`" for each in metric.plus)
        return f" {plus}" + "".join(f" - `{each}`" for each in metric.minus)
    return ""


def _readings() -> str:
    lines = ["## Ways to read them", "", "| | name | definition | where |", "|---|---|---|---|"]
    lines += [f"| {each.number} | `{each.name}` | {each.says} | {each.where} |" for each in READINGS]
    return "\n".join(lines) + "\n"


def _views(metrics: Mapping[str, Metric]) -> str:
    lines = [
        "## Views",
        "",
        "`DESCRIBE TABLE <view>` shows each column with its definition. All have `store_id`, those of",
        "days have `store_date` and `channel` too.",
        "",
        "| view | one row is | also by | columns |",
        "|---|---|---|---|",
    ]
    for view in VIEWS:
        also = ", ".join(f"`{each}`" for each in (*view.dimensions, *(["currency"] if view.currency else [])))
        names = ", ".join(f"`{each}`" for each in metrics_of(view, metrics))
        lines.append(f"| `{view.name}` | {view.says} | {also or '–'} | {names} |")
    gauges = ", ".join(f"`{name}`" for name, metric in metrics.items() if metric.query == "gauges")
    for each in customer_views.VIEWS:
        also = ", ".join(f"`{key}`" for key in each.keys if key != "store_id")
        lines.append(
            f"| `{each.name}` | {each.says} | {also} | {', '.join(f'`{name}`' for name in each.columns)} |"
        )
    lines.append(f"| `gauges` | {QUERIES['gauges'].says} | – | {gauges}, each with `_inferred` |")
    return "\n".join(lines) + "\n"


def _facts() -> str:
    lines = [
        "## Facts",
        "",
        "What a new metric may be counted over. A field is used by its name.",
        "",
        "| fact | one row is | fields |",
        "|---|---|---|",
    ]
    for fact in FACTS.values():
        fields = "; ".join(f"`{each.name}`: {each.says}" for each in fact.fields if each.name != "store_id")
        lines.append(f"| `{fact.name}` | {fact.says} | {fields} |")
    return "\n".join(lines) + "\n"
