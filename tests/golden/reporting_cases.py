"""The reporting currency (E4) worked out by hand. Times as in `tests.golden.cases`."""

from datetime import date
from typing import Any, Final

from schemas.stores import Store
from tests.golden.asking import Answers, Ask, MetricCase
from tests.golden.cases import DAY, TEN, event
from tests.oracle.wire import Sent

RATES: Final = """\
day,currency,reporting_currency,rate
2026-01-01,JPY,EUR,0.0061
2026-01-01,USD,EUR,0.90
2026-01-11,JPY,EUR,0.0070
"""


def _bought(order_id: str, at: int, currency: str, total: str) -> Sent:
    lines: list[dict[str, Any]] = [{"product_id": "p1", "quantity": 1, "unit_price": total}]
    return event(
        "order",
        "captured",
        at,
        customer_id="eva",
        order_id=order_id,
        currency=currency,
        lines=lines,
        total=total,
    )


def _day(number: int, answers: Answers) -> Ask:
    day = date(2026, 1, number)
    return Ask("custom", TEN + 60 * DAY, answers, first=day, last=day)


def _refund(refund_id: str, at: int, amount: str) -> Sent:
    return event("order", "refunded", at, order_id="yen", refund_id=refund_id, amount=amount)


REPORTING_CASE: Final = MetricCase(
    name="E4 reporting currency",
    events=[
        _bought("euro", TEN, "EUR", "12.34"),
        _bought("yen", TEN, "JPY", "500"),  # 3.05
        _bought("dollar", TEN, "USD", "10.05"),  # 9.045, half to even: 9.04
        _bought("late", TEN + DAY, "USD", "10.05"),  # 2 January has no rate
        _refund("r1", TEN + 10 * DAY, "200"),  # at the rate of 1 January: 1.22
        _refund("r2", TEN + 11 * DAY, "300"),  # what is left of 3.05: 1.83
        event("order", "canceled", TEN + 11 * DAY, order_id="late"),
    ],
    asks=[
        _day(
            1,
            {
                ("total_revenue_reporting", "", "EUR"): 1_234 + 305 + 904,
                ("unattributed_revenue_reporting", "", "EUR"): 2_443,
                ("total_revenue", "", "USD"): 1_005,
                "unconverted_orders": 0,
            },
        ),
        _day(2, {("total_revenue_reporting", "", "EUR"): 0, "unconverted_orders": 1}),
        _day(
            11,
            {
                ("refunded_revenue_reporting", "", "EUR"): 122,
                ("net_revenue_reporting", "", "EUR"): -122,
                "unconverted_adjustments": 0,
            },
        ),
        _day(
            12,
            {
                ("refunded_revenue_reporting", "", "EUR"): 183,
                ("canceled_revenue_reporting", "", "EUR"): 0,
                "unconverted_adjustments": 1,
            },
        ),
    ],
    store=Store(reporting_currency="EUR"),
    rates_csv=RATES,
)
