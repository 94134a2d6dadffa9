"""The views of ClickHouse that the catalogue makes: each metric by store, day, channel (and currency, dimensions).

A view holds every metric that is read at its grain, so a new entry appears by itself. Rows are counted
up to the newest; what is judged by an instant (a closed session, a gauge) is judged at `data_as_of`.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from schemas.metrics import FACTS, METRICS, QUERIES
from schemas.metrics.model import CURRENCY, Grain, Metric, Section, Unit
from schemas.metrics.sql import Frame, cut_of, quoted, select
from schemas.tables import LONGEST_SESSION

FILE: Final = "deploy/clickhouse/0003_metrics.sql"

_HEAD: Final = """\
-- Rendered from schemas/metrics/ by `make render`; do not edit. docs/metrics.md explains every column.
-- Ratios are of just this row's grain, null when the denominator is 0: over rows add up both sides, then divide.
-- Money: `x` in major units, `x_minor` in minor units; two currencies are two rows, never one sum.
"""

_AS_OF: Final = "(SELECT data_as_of FROM data_as_of)"
# Longer than any store remembers what has ended.
_RECENT: Final = f"toDate({_AS_OF} - INTERVAL 45 DAY) - ({LONGEST_SESSION})"
_END: Final = "toDateTime64('2100-01-01', 3, 'UTC')"
_KEYS: Final = {
    "store_id": ("LowCardinality(String)", "the tenant"),
    "store_date": ("Date", "the day that each column's definition names, in the zone of the store"),
    "channel": ("LowCardinality(String)", "of the session, order or event"),
    "currency": ("LowCardinality(String)", "ISO 4217; two currencies are never added up"),
    "exponent": ("UInt8", "digits of the currency's minor unit"),
}


class View(NamedTuple):
    """One rendered view: the metrics of some sections at one grain."""

    name: str
    sections: tuple[Section, ...]
    says: str
    dimensions: tuple[str, ...] = ()
    currency: bool = False


VIEWS: Final = (
    View(
        "sessions_by_device",
        (Section.SESSIONS,),
        "All sessions of a day by device and country",
        ("device", "country"),
    ),
    View("personalization_daily", (Section.PERSONALIZATION,), "Personalised sessions and goals of a day"),
    View(
        "personalization_by_experience",
        (Section.PERSONALIZATION,),
        "Personalised sessions by experience; one session may be in two",
        ("experience_id", "variant_id", "test_id"),
    ),
    View(
        "personalization_by_goal",
        (Section.PERSONALIZATION,),
        "Goal conversions by goal and experience",
        ("goal_id", "experience_id"),
    ),
    View(
        "personalization_revenue_daily",
        (Section.PERSONALIZATION,),
        "Revenue of personalised sessions and of goals by day and currency (M9)",
        currency=True,
    ),
    View(
        "personalization_revenue_by_experience",
        (Section.PERSONALIZATION,),
        "Revenue of personalised sessions by experience; one order may be in two",
        ("experience_id", "variant_id", "test_id"),
        currency=True,
    ),
    View("recommendations_daily", (Section.RECOMMENDATIONS,), "How recommendations did on a day"),
    View(
        "recommendations_by_widget",
        (Section.RECOMMENDATIONS,),
        "How each widget did on a day",
        ("widget_id",),
    ),
    View(
        "recommendation_revenue_daily",
        (Section.RECOMMENDATIONS,),
        "What recommendations earned, by day and currency",
        currency=True,
    ),
    View(
        "recommendation_revenue_by_widget",
        (Section.RECOMMENDATIONS,),
        "What each widget, placement and strategy earned, by day and currency",
        ("widget_id", "placement", "strategy"),
        currency=True,
    ),
    View(
        "recommendation_revenue_by_product",
        (Section.RECOMMENDATIONS,),
        "What recommendations earned by product bought, day and currency",
        ("product_id",),
        currency=True,
    ),
    View("journeys_daily", (Section.JOURNEYS,), "Executions of journeys and what they sent, by day"),
    View("journeys_by_journey", (Section.JOURNEYS,), "Each journey by day", ("journey_id",)),
    View(
        "notifications_by_channel",
        (Section.JOURNEYS,),
        "What was sent, by day, notification channel and journey",
        ("notification_channel", "journey_id"),
    ),
    View(
        "sessions_daily",
        (Section.SESSIONS, Section.CONVERSATIONS),
        "Sessions, users and support of a day, by channel",
    ),
    View("orders_daily", (Section.ORDERS,), "Orders of a day, all currencies together"),
    View("revenue_daily", (Section.ORDERS,), "Orders and revenue by day and currency", currency=True),
)


def rendered_views(metrics: Mapping[str, Metric] = METRICS) -> str:
    """The migration: one CREATE VIEW each."""
    statements = [_statement(view, metrics) for view in VIEWS]
    return "\n".join((_HEAD, *statements, _gauges(metrics)))


def metrics_of(view: View, metrics: Mapping[str, Metric] = METRICS) -> dict[str, Metric]:
    """Name -> metric, of what the view shows, parts too; what only helps to compare periods is left out."""
    found = {}
    mine = [metric for metric in metrics.values() if metric.section in view.sections]
    left_out = {name for metric in mine for name in metric.left_out}
    for name, metric in metrics.items():
        if metric.query or (metric.is_money or metric.reporting) > view.currency:
            continue
        own = (metric in mine or name in left_out) and (
            not view.currency or metric.is_money or _has_currency(name, metrics)
        )
        if own and _reads(metric, view, metrics):
            found[name] = metric
    return found


def _has_currency(name: str, metrics: Mapping[str, Metric]) -> bool:
    metric = metrics[name]
    return all(FACTS[metrics[part].fact].has_currency for part in _parts(name, metrics)) and not metric.query


def _reads(metric: Metric, view: View, metrics: Mapping[str, Metric]) -> bool:
    if metric.over_all and set(metric.over_all) & set(view.dimensions):
        return False
    by = (*view.dimensions, *((CURRENCY,) if view.currency else ()))
    return all(cut_of(metrics[part], by, FACTS) is not None for part in _parts(metric.name, metrics))


def _parts(name: str, metrics: Mapping[str, Metric]) -> Iterator[str]:
    """Names of the metrics over facts that a metric is computed from."""
    metric = metrics[name]
    if metric.fact:
        yield name
    sides = (metric.numerator, metric.denominator) if metric.numerator else (*metric.plus, *metric.minus)
    for side in sides:
        yield from _parts(side, metrics)


def _statement(view: View, metrics: Mapping[str, Metric]) -> str:
    shown = metrics_of(view, metrics)
    parts = list(dict.fromkeys(part for name in shown for part in _parts(name, metrics)))
    keys = [
        "store_id",
        "store_date",
        "channel",
        *view.dimensions,
        *((CURRENCY, "exponent") if view.currency else ()),
    ]
    columns, expressions = _columns(view, shown, metrics)
    inner = "\n    UNION ALL\n".join(_arms(view, parts, keys, metrics))
    return (
        f"CREATE OR REPLACE VIEW {view.name} (\n    " + ",\n    ".join(columns) + "\n) AS\n"
        f"SELECT\n    {', '.join(keys)},\n    " + ",\n    ".join(expressions) + f"\nFROM\n(\n{inner}\n)\n"
        f"GROUP BY {', '.join(keys)}\n"
        "SETTINGS do_not_merge_across_partitions_select_final = 1\n"
        f"COMMENT {quoted(view.says)};\n"
    )


def _arms(view: View, parts: list[str], keys: list[str], metrics: Mapping[str, Metric]) -> Iterator[str]:
    """One SELECT a fact, with 0 in the columns of the others, so that adding up joins them."""
    by = (*view.dimensions, *((CURRENCY,) if view.currency else ()))
    cuts = {part: cut for part in parts if (cut := cut_of(metrics[part], by, FACTS)) is not None}
    frame = Frame(
        scope="1",
        whole="1",
        store="1",
        as_of=_AS_OF,
        cut=_END,
        bucket="$date",
        counts="1",
        keys=tuple(key for key in keys if key != "store_date"),
    )
    for fact in dict.fromkeys(cut.fact for cut in cuts.values()):
        own = {f"{part}_": cut.sql for part, cut in cuts.items() if cut.fact == fact}
        columns = [
            f"{part}_" if f"{part}_" in own else f"{_zero(metrics[part])} AS {part}_" for part in parts
        ]
        text = select(FACTS[fact], own, frame)
        picked = ", ".join(("bucket AS store_date" if key == "store_date" else key) for key in keys)
        yield f"    SELECT {picked}, {', '.join(columns)} FROM (\n{_indented(text)}\n    )"


def _zero(metric: Metric) -> str:
    if metric.unit is Unit.INSTANT:
        return "toDateTime64(0, 3, 'UTC')"
    return "toInt128(0)" if metric.is_money else "0"


def _columns(
    view: View, shown: Mapping[str, Metric], metrics: Mapping[str, Metric]
) -> tuple[list[str], list[str]]:
    """Declarations with their comments, and the expressions in the same order (without the keys)."""
    declared = [f"`{key}` {kind} COMMENT {quoted(says)}" for key, kind, says in _key_columns(view)]
    expressions: list[str] = []
    for name, metric in shown.items():
        for column, kind, says, sql in _of_metric(name, metric, metrics):
            declared.append(f"`{column}` {kind} COMMENT {quoted(says)}")
            expressions.append(f"{sql} AS {column}")
    return declared, expressions


def _key_columns(view: View) -> Iterator[tuple[str, str, str]]:
    for key in ("store_id", "store_date", "channel"):
        yield (key, *_KEYS[key])
    for dimension in view.dimensions:
        says = next(each.says for fact in FACTS.values() for each in fact.fields if each.name == dimension)
        yield (dimension, "String", says)
    if view.currency:
        for key in (CURRENCY, "exponent"):
            yield (key, *_KEYS[key])


def _of_metric(
    name: str, metric: Metric, metrics: Mapping[str, Metric]
) -> Iterator[tuple[str, str, str, str]]:
    """Column, type, comment and expression of each column that a metric gives."""
    says = f"{metric.number}: {metric.says}"
    if metric.grain is Grain.RATIO:
        upper, lower = (_sum(side, metrics) for side in (metric.numerator, metric.denominator))
        if metric.is_money:
            scaled = f"toDecimal128({upper}, 6) / intExp10(exponent) / greatest({lower}, 1)"
            yield (
                name,
                "Nullable(Decimal(38, 6))",
                f"{says} Cut after six digits.",
                _unless_zero(lower, scaled),
            )
            return
        scale = "100 * " if metric.unit is Unit.PERCENT else ""
        yield name, "Nullable(Float64)", says, _unless_zero(lower, f"{scale}{upper} / {lower}")
        return
    total = _sum(name, metrics)
    if metric.is_money:
        yield name, "Decimal(38, 4)", says, f"toDecimal128({total}, 4) / intExp10(exponent)"
        yield f"{name}_minor", "Int128", f"{name} in minor units.", total
        return
    if metric.unit is Unit.INSTANT:
        yield name, "DateTime64(3, 'UTC')", says, f"max({name}_)"
        return
    note = " Does not add up over days." if metric.grain is Grain.DISTINCT else ""
    yield name, "UInt64", says.removesuffix(note) + note if note not in says else says, total


def _sum(name: str, metrics: Mapping[str, Metric]) -> str:
    metric = metrics[name]
    if metric.fact:
        return f"sum({name}_)"
    plus = " + ".join(_sum(each, metrics) for each in metric.plus)
    return "".join((f"({plus}", *(f" - {_sum(each, metrics)}" for each in metric.minus), ")"))


def _unless_zero(denominator: str, quotient: str) -> str:
    return f"if({denominator} = 0, NULL, {quotient})"


def _gauges(metrics: Mapping[str, Metric]) -> str:
    query = QUERIES["gauges"]
    frame = Frame(
        scope="1", whole="1", store="1", as_of=_AS_OF, cut=_AS_OF, bucket="", counts="", recent=_RECENT
    )
    names = [name for name, metric in metrics.items() if metric.query == query.name]
    columns = ["`store_id` LowCardinality(String) COMMENT 'the tenant'"]
    picked = ["store_id"]
    for name in names:
        metric = metrics[name]
        columns.append(f"`{name}` UInt64 COMMENT {quoted(f'{metric.number}: {metric.says}')}")
        columns.append(
            f"`{name}_inferred` UInt8 COMMENT '1: the store defines none, so it was seen, not declared'"
        )
        picked += [
            f"maxIf(value, gauge = '{name}') AS {name}",
            f"countIf(gauge = '{name}' AND NOT inferred) = 0 AS {name}_inferred",
        ]
    return (
        "CREATE OR REPLACE VIEW gauges (\n    " + ",\n    ".join(columns) + "\n) AS\nSELECT\n    "
        + ",\n    ".join(picked) + f"\nFROM\n(\n{_indented(frame.fill(query.sql))}\n)\nGROUP BY store_id\n"
        "SETTINGS do_not_merge_across_partitions_select_final = 1\n"
        f"COMMENT {quoted(query.says)};\n"
    )  # fmt: skip


def _indented(text: str) -> str:
    return "\n".join(f"        {line}" for line in text.splitlines())
