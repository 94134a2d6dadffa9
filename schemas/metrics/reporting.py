"""Revenue a second time, in the store's reporting currency (E4): made from the facts and metrics of orders as they are.

The columns of an order's row have twins, `reporting_total` beside `total`; so a fact that reads the one can read the
other, and every money metric over such facts has a twin `<name>_reporting` without an entry of its own. Orders without a
rate are left out of it: how many, two more metrics say, and every twin names those that say it of its values.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from schemas.metrics import order_facts
from schemas.metrics.model import CURRENCY, Cut, Fact, Field, Grain, Metric, Section, Unit

_COLUMNS: Final = re.compile(
    r"\b(paid|lines_paid|direct_paid|assisted_paid|shown_only_paid|total|currency|exponent|adjustment_amount|adjustment_lines)\b"
)
_STORES: Final = "reporting_currency != ''"


def name_of(metric: str) -> str:
    """What a metric's twin is called."""
    return f"{metric}_reporting"


def _twin(fact: Fact, *more: Field) -> Fact:
    """The fact over the reporting columns, for the orders of stores that report in a currency."""
    return replace(
        fact,
        name=f"reporting_{fact.name}",
        says=f"{fact.says}; amounts in the store's reporting currency",
        rows=_reporting(fact.rows),
        where=f"{fact.where} AND {_STORES}",
        fields=(
            *map(_field, fact.fields),
            Field("has_rate", "1: the rate of its day is known", "reported"),
            *more,
        ),
    )


def _field(field: Field) -> Field:
    if field.name in (CURRENCY, "exponent"):
        says = field.says.replace("of the order", "in which the store reports")
        return Field(field.name, says, _reporting(field.name))
    return replace(field, sql=_reporting(field.sql))


def _reporting(sql: str) -> str:
    return _COLUMNS.sub(r"reporting_\1", sql)


_STEP: Final = Field("step", "which of the order's", "back_step")

_TWINS: Final = {
    order_facts.ORDER.name: _twin(order_facts.ORDER),
    order_facts.ORDER_EXPERIENCE.name: _twin(order_facts.ORDER_EXPERIENCE),
    order_facts.LINE.name: _twin(order_facts.LINE),
    order_facts.ADJUSTMENT.name: _twin(order_facts.ADJUSTMENT),
    order_facts.ADJUSTED_LINE.name: _twin(order_facts.ADJUSTED_LINE, _STEP),
}

FACTS: Final = tuple(_TWINS.values())

_CREDIT: Final = ("widget_id", "placement", "strategy", "product_id")
_EXPERIENCE: Final = ("experience_id", "variant_id", "test_id")

ORDERS_LEFT_OUT: Final = Metric(
    number="M27",
    name="unconverted_orders",
    section=Section.ORDERS,
    says="Captured orders that are left out of the sums in the reporting currency: their day has no rate yet.",
    day="capture of the order",
    unit=Unit.COUNT,
    grain=Grain.ADDITIVE,
    origin="E4",
    fact="reporting_order",
    sql="countIf(NOT has_rate)",
    cuts=(
        Cut("reporting_line", "uniqExactIf(order_id, NOT has_rate)", _CREDIT),
        Cut("reporting_order_experience", "countIf(NOT has_rate)", _EXPERIENCE),
    ),
    reporting=True,
)
ADJUSTMENTS_LEFT_OUT: Final = replace(
    ORDERS_LEFT_OUT,
    name="unconverted_adjustments",
    says="Cancels and refunds that are left out of the sums in the reporting currency, with their orders.",
    day="the cancel or refund",
    fact="reporting_adjustment",
    sql="countIf(NOT has_rate)",
    cuts=(Cut("reporting_adjusted_line", "uniqExactIf((order_id, step), NOT has_rate)", _CREDIT),),
)

LEFT_OUT: Final = (ORDERS_LEFT_OUT, ADJUSTMENTS_LEFT_OUT)
_LEFT_OUT_OF: Final = {"order": ORDERS_LEFT_OUT.name, "adjustment": ADJUSTMENTS_LEFT_OUT.name}


def with_twins(metrics: Iterable[Metric]) -> Iterator[Metric]:
    """The metrics, each with its twin behind it if it has one."""
    known: dict[str, Metric] = {}
    for metric in metrics:
        known[metric.name] = metric
        yield metric
        if twin := _twin_of(metric, known):
            yield twin


def _twin_of(metric: Metric, known: Mapping[str, Metric]) -> Metric | None:
    facts = _facts_of(metric, known)
    if not metric.is_money or not facts or not facts <= set(_TWINS) or metric.numerator:
        return None
    return replace(
        metric,
        name=name_of(metric.name),
        says=f"{metric.name} in the currency that the store reports in, at the rate of each order's day; orders without a"
        " rate are left out, and counted.",
        origin=f"E4, {metric.origin}",
        fact=_TWINS[metric.fact].name if metric.fact else "",
        cuts=tuple(replace(cut, fact=_TWINS[cut.fact].name) for cut in metric.cuts),
        plus=tuple(map(name_of, metric.plus)),
        minus=tuple(map(name_of, metric.minus)),
        reporting=True,
        left_out=tuple(name for fact, name in _LEFT_OUT_OF.items() if fact in facts),
    )


def _facts_of(metric: Metric, known: Mapping[str, Metric]) -> set[str]:
    """Names of the facts that it is read from, undivided."""
    own = {metric.fact} if metric.fact else set()
    return own.union(
        *(_facts_of(known[part], known) for part in (*metric.plus, *metric.minus) if part in known)
    )
