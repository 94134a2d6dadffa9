"""M43 to M50: the customer base, by whole queries (see `customer_sql`). Only receipts of identified customers.

A receipt is a captured order that was neither canceled nor fully returned before the instant it is looked at from.
"""

from typing import Final

from schemas.metrics.customer_sql import CHANNEL, TOUCH_DIMENSIONS
from schemas.metrics.model import CURRENCY, Grain, Metric, Query, Section, Unit

MONTH: Final = "month"
RECENCY: Final = "recency"
RECENCY_MONTHS: Final = "recency_months"

CUSTOMER_BASE: Final = Query(
    name="customer_base",
    says="One pass over the store's orders, looked at from the snapshot instant and from each month's end",
    sql="see schemas/metrics/customer_sql.py: base_query",
)
ASSISTED_SALES: Final = Query(
    name="assisted_sales",
    says="The receipts of each month beside the communications first sent to their customers in the window before",
    sql="see schemas/metrics/customer_sql.py: assisted_query",
)
QUERIES: Final = (CUSTOMER_BASE, ASSISTED_SALES)

_SNAPSHOT_DAY: Final = (
    "receipts of the store dates (`base_period_days`, 365) that end with the snapshot's"
    " (00:00, 06:00, 12:00 or 18:00)"
)
_MONTH_END: Final = "as of the end of each month that the period touches"
_RUNNING: Final = f"{_MONTH_END}; the running month as of the snapshot, provisional"


def _metric(
    number: str,
    name: str,
    says: str,
    origin: str,
    *,
    unit: Unit = Unit.COUNT,
    grain: Grain = Grain.SNAPSHOT,
    day: str = _SNAPSHOT_DAY,
    always: tuple[str, ...] = (),
    dimensions: tuple[str, ...] = (),
    query: Query = CUSTOMER_BASE,
) -> Metric:
    return Metric(
        number=number,
        name=name,
        section=Section.CUSTOMERS,
        says=says,
        day=day,
        unit=unit,
        grain=grain,
        origin=origin,
        always=always,
        dimensions=dimensions,
        query=query.name,
    )


def _monthly(number: str, name: str, says: str, origin: str, **named: object) -> Metric:
    return _metric(number, name, says, origin, always=(MONTH,), **named)  # type: ignore[arg-type]


def _assisted(name: str, says: str, number: str, unit: Unit, dimensions: tuple[str, ...]) -> Metric:
    return _monthly(
        number,
        name,
        says,
        "E35, H114, H115, H121, H122",
        unit=unit,
        grain=Grain.ADDITIVE,
        day=_RUNNING,
        dimensions=dimensions,
        query=ASSISTED_SALES,
    )


METRICS: Final = (
    _metric(
        "M43",
        "customers_by_recency",
        "Customers by whole calendar months since their last receipt, in groups 0-1, 1-3, 3-7, 7-11 and 11-12"
        " (half-open), or by each month.",
        "H110 to H113, H122",
        always=(RECENCY,),
        dimensions=(RECENCY_MONTHS,),
    ),
    _metric("M44", "one_receipt_customers", "Customers with exactly one receipt.", "H110 to H113, H122"),
    _metric("M44", "repeat_customers", "Customers with two receipts or more.", "H110 to H113, H122"),
    _metric(
        "M44",
        "repeat_customers_pct",
        "Of the customers with a receipt, those with two or more.",
        "H105, H110 to H113, H122",
        unit=Unit.PERCENT,
    ),
    _metric(
        "M45",
        "one_receipt_revenue",
        "Receipt totals, less refunds, of customers with exactly one receipt.",
        "H110 to H114, H122",
        unit=Unit.MONEY,
    ),
    _metric(
        "M45",
        "repeat_revenue",
        "Receipt totals, less refunds, of customers with two receipts or more.",
        "H110 to H114, H122",
        unit=Unit.MONEY,
    ),
    _metric(
        "M45",
        "repeat_revenue_pct",
        "Of the receipt totals of a currency, those of customers with two receipts or more.",
        "H105, H110 to H114, H122",
        unit=Unit.PERCENT,
    ),
    _monthly(
        "M46",
        "best_customers",
        "Customers with score 5 in recency (most recent), frequency and money at the end of the month.",
        "E33, H111, H115 to H118",
        day=f"{_MONTH_END}, once it is over",
    ),
    _monthly(
        "M47",
        "lost_customers",
        "Customers with score 1 in recency (longest ago) at the end of the month; by quintiles about a fifth are.",
        "E33, H111, H115 to H118",
        day=f"{_MONTH_END}, once it is over",
    ),
    _monthly(
        "M48",
        "repeat_purchase_share",
        "Of the customers with a receipt in the month, those with two or more ever up to its end.",
        "E34, H105, H115, H116, H119",
        unit=Unit.PERCENT,
        day=_RUNNING,
    ),
    _monthly(
        "M48",
        "repeat_purchase_share_of_base",
        "Of all customers with a receipt up to the end of the month, those with two or more.",
        "H105, H115, H116, H119, H120",
        unit=Unit.PERCENT,
        day=_RUNNING,
    ),
    _assisted(
        "assisted_receipts",
        "Receipts of the month with a communication sent to the customer in the attribution window before.",
        "M49",
        Unit.COUNT,
        TOUCH_DIMENSIONS,
    ),
    _assisted(
        "regular_receipts", "Receipts of the month without such a communication.", "M49", Unit.COUNT, ()
    ),
    _assisted(
        "assisted_amount",
        "Totals of the assisted receipts, less refunds.",
        "M50",
        Unit.MONEY,
        TOUCH_DIMENSIONS,
    ),
    _assisted("regular_amount", "Totals of the regular receipts, less refunds.", "M50", Unit.MONEY, ()),
)
"""In the order of the page."""

ASSISTED: Final = tuple(metric.name for metric in METRICS if metric.query == ASSISTED_SALES.name)
SNAPSHOT: Final = tuple(metric.name for metric in METRICS if MONTH not in metric.always)
"""Those without a month: they are there whatever the period."""
OF_A_CURRENCY: Final = frozenset({"repeat_revenue_pct"})
"""Beside money itself, what is of one currency each."""


def told_apart_by(metric: Metric, by: tuple[str, ...]) -> tuple[str, ...] | None:
    """The dimensions that each value of a metric of the customer base carries when these are asked for; None: it can't.

    One dimension at most; `month` and `recency` are there without being asked for, and so is the currency of money.
    """
    told = {*metric.always, CURRENCY} if metric.is_money or metric.name in OF_A_CURRENCY else metric.always
    asked = tuple(each for each in by if each not in told)
    if asked == (RECENCY_MONTHS,) and RECENCY in metric.always:
        return asked
    if len(asked) > 1 or not set(asked) <= {CHANNEL, *metric.dimensions}:
        return None
    return (*metric.always, *asked)
