"""M27 to M31, with what was taken back (E1, H61)."""

from typing import Final

from schemas.metrics.model import Grain, Metric, Section, Unit

_IN: Final = Section.ORDERS
_CAPTURE: Final = "capture of the order"


def _sum(
    name: str,
    fact: str,
    sql: str,
    says: str,
    origin: str,
    *,
    number: str,
    day: str = _CAPTURE,
    unit: Unit = Unit.MONEY,
    part: bool = False,
) -> Metric:
    return Metric(
        number=number,
        name=name,
        section=_IN,
        says=says,
        day=day,
        unit=unit,
        grain=Grain.ADDITIVE,
        origin=origin,
        fact=fact,
        sql=sql,
        part=part,
    )


def _quotient(
    number: str, name: str, unit: Unit, says: str, origin: str, numerator: str, denominator: str
) -> Metric:
    return Metric(
        number=number,
        name=name,
        section=_IN,
        says=says,
        day=_CAPTURE,
        unit=unit,
        grain=Grain.RATIO,
        origin=origin,
        numerator=numerator,
        denominator=denominator,
    )


METRICS: Final = (
    _sum(
        "total_revenue",
        "order",
        "sum(toInt128(paid_total))",
        "Totals of captured orders, after discounts, with shipping and tax; never shrinks.",
        "E1, E4, E5, H50",
        number="M27",
    ),
    _sum(
        "total_orders",
        "order",
        "count()",
        "Captured orders, all currencies together.",
        "E27, H50, H51",
        number="M28",
        unit=Unit.COUNT,
    ),
    _sum(
        "items",
        "order",
        "sum(units)",
        "Units of captured orders.",
        "M30",
        number="M30",
        unit=Unit.COUNT,
        part=True,
    ),
    _sum(
        "line_revenue",
        "order",
        "sum(toInt128(lines_paid))",
        "Paid for the lines of captured orders: totals without shipping and tax.",
        "E6, H52, H62",
        number="M31",
        part=True,
    ),
    _quotient(
        "M29",
        "average_ticket",
        Unit.MONEY,
        "Average total of captured orders, per currency.",
        "H59",
        "total_revenue",
        "total_orders",
    ),
    _quotient(
        "M30",
        "items_per_order",
        Unit.NUMBER,
        "Average units of captured orders, all currencies together.",
        "H59",
        "items",
        "total_orders",
    ),
    _quotient(
        "M31",
        "average_price_per_item",
        Unit.MONEY,
        "Average paid for a unit, without shipping and tax, per currency.",
        "H59",
        "line_revenue",
        "items",
    ),
    _sum(
        "canceled_orders",
        "adjustment",
        "countIf(is_cancel)",
        "First cancels of known orders.",
        "H56, H61",
        number="M28",
        day="the cancel",
        unit=Unit.COUNT,
    ),
    _sum(
        "canceled_revenue",
        "adjustment",
        "sumIf(toInt128(taken), is_cancel)",
        "What cancels took of order totals.",
        "E1, H56, H61",
        number="M27",
        day="the cancel",
    ),
    _sum(
        "refunded_revenue",
        "adjustment",
        "sumIf(toInt128(taken), NOT is_cancel)",
        "What refunds took of order totals.",
        "E1, H56, H61",
        number="M27",
        day="the refund",
    ),
    Metric(
        number="M27",
        name="net_revenue",
        section=_IN,
        says="total_revenue less canceled_revenue and refunded_revenue, each on its own day; may be negative.",
        day="capture of the order; the cancel or refund",
        unit=Unit.MONEY,
        grain=Grain.ADDITIVE,
        origin="E1, H61",
        plus=("total_revenue",),
        minus=("canceled_revenue", "refunded_revenue"),
    ),
)
