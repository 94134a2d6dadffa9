"""The views of the customer base (M43 to M50): one row a store, or a store and month, as a report has them.

All channels together. A report looks from the latest of 00:00, 06:00, 12:00 and 18:00 store time (H110); so do these.
Instants are compared as the store's clock shows them: a view is of all stores, and each has a zone of its own.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from schemas.metrics import METRICS
from schemas.metrics.customer_sql import WHOLE_MONTHS, fixed_scores, quintiles
from schemas.metrics.sql import quoted

FILE: Final = "deploy/clickhouse/0005_customers.sql"

_HEAD: Final = """\
-- Rendered from schemas/metrics/ by `make render`; do not edit. docs/metrics.md explains every column.
-- The customer base of all channels together. Filter by store_id: a view without it reads the orders of all stores.
"""

# A store with where it is looked at from (`seen_clock`: what its clock shows then) and its thresholds of fixed scores.
_STORES: Final = """\
(
    SELECT
        store_id, zone, currency AS home, toString((SELECT data_as_of FROM data_as_of), zone) AS clock,
        concat(left(clock, 11), leftPad(toString(6 * intDiv(toUInt8(substring(clock, 12, 2)), 6)), 2, '0'), ':00:00.000')
            AS seen_clock,
        toDate(left(seen_clock, 10)) AS today,
        JSONExtractInt(settings, 'base_period_days') AS base_days,
        JSONExtractInt(settings, 'attribution_window_ms') AS window_ms,
        JSONExtractString(settings, 'rfm', 'method') = 'fixed' AS is_fixed,
        JSONExtract(settings, 'rfm', 'r_days', 'Array(Int64)') AS r_days,
        JSONExtract(settings, 'rfm', 'f', 'Array(Int64)')[4] AS f_best,
        JSONExtract(settings, 'rfm', 'm', 'Array(Int64)')[4] AS m_best
    FROM stores FINAL
)"""

_ORDERS: Final = f"""\
(
    SELECT
        store_id, zone, home, seen_clock, today, base_days, window_ms, is_fixed, r_days, f_best, m_best,
        person_hash, currency, exponent, store_date, captured_at, total, adjustment,
        adjustment_amount, arrayMap(at -> toString(at, zone), adjusted_at) AS taken_clock,
        toString(captured_at, zone) AS bought_clock, toString(gone_at, zone) AS gone_clock
    FROM (SELECT *, person_hash, gone_at FROM orders FINAL WHERE is_customer) AS purchase
    INNER JOIN {_STORES} AS store USING (store_id)
)"""


def _net(until: str) -> str:
    return (
        "total - arraySum((kind, amount, clock) -> if(kind = 'refund' AND clock < "
        f"{until}, amount, 0), adjustment, adjustment_amount, taken_clock)"
    )


_RECEIPTS: Final = f"""\
(
    SELECT
        store_id, person_hash, currency, exponent, store_date, today, {_net("seen_clock")} AS net,
        count() OVER (PARTITION BY person_hash) AS receipts
    FROM {_ORDERS}
    WHERE bought_clock < seen_clock AND gone_clock >= seen_clock AND store_date > today - base_days
)"""

# An order counts in every month from its own on: `until` is the month's end, or the snapshot in the running one.
_BY_MONTH: Final = f"""\
(
    SELECT
        *, month, month = toStartOfMonth(today) AS is_running, toLastDayOfMonth(month) AS last_day,
        if(is_running, seen_clock, concat(toString(addMonths(month, 1)), ' 00:00:00.000')) AS until,
        {_net("until")} AS net,
        store_date > if(is_running, today, last_day) - base_days AS in_base
    FROM {_ORDERS}
    ARRAY JOIN arrayMap(n -> addMonths(toStartOfMonth(store_date), n), range(0, greatest(0,
        dateDiff('month', store_date, today) + 1))) AS month
    WHERE bought_clock < until AND gone_clock >= until
)"""

_PERSONS_BY_MONTH: Final = f"""\
(
    SELECT
        store_id, month, any(is_running) AS runs, any(is_fixed) AS fixed, any(last_day) AS last_day_0,
        any(r_days[1]) AS r_best, any(r_days[4]) AS r_lost, any(f_best) AS f_best, any(m_best) AS m_best,
        count() AS ever_0, countIf(store_date >= month) AS bought_0, countIf(in_base) AS receipts_0,
        maxIf(store_date, in_base) AS last_0, sumIf(toInt128(net), in_base AND currency = home) AS spent_0_0
    FROM {_BY_MONTH}
    GROUP BY store_id, month, person_hash
)"""

# A communication is one message to one person, dated by its first sending (H90).
_SENT: Final = """\
(
    SELECT first.1 AS person_hash, groupArray(first.2) AS sent_ms
    FROM
    (
        SELECT argMin((n.person_hash, toUnixTimestamp64Milli(n.sent_at)), (n.sent_at, event_id, person)) AS first
        FROM notifications AS n FINAL
        GROUP BY store_id, communication_hash
    )
    GROUP BY person_hash
)"""

_TOUCHED: Final = f"""\
(
    SELECT
        store_id, month, is_running, currency, exponent, net,
        arrayExists(at -> at <= bought_ms AND at >= bought_ms - window_ms, sent_ms) AS assisted
    FROM (SELECT *, toUnixTimestamp64Milli(captured_at) AS bought_ms FROM {_BY_MONTH} WHERE store_date >= month) AS bought
    LEFT JOIN {_SENT} AS sent USING (person_hash)
)"""


class CustomerView(NamedTuple):
    """One rendered view. `columns`: name -> (type, expression, what it says; empty: as the metric of that name does)."""

    name: str
    says: str
    rows: str
    keys: tuple[str, ...]
    columns: dict[str, tuple[str, str, str]]


_KEYS: Final = {
    "store_id": ("LowCardinality(String)", "the tenant"),
    "as_of_date": ("Date", "date of the snapshot, in the zone of the store"),
    "month": ("Date", "the first day of the month"),
    "months_since": ("UInt8", "whole calendar months since the last receipt, 0 to 11"),
    "currency": ("LowCardinality(String)", "ISO 4217; two currencies are never added up"),
    "exponent": ("UInt8", "digits of the currency's minor unit"),
}


def _count(sql: str, says: str = "") -> tuple[str, str, str]:
    return "UInt64", sql, says


def _percent(upper: str, lower: str) -> tuple[str, str, str]:
    return "Nullable(Float64)", f"if({lower} = 0, NULL, 100 * {upper} / {lower})", ""


def _money(name: str, sql: str) -> dict[str, tuple[str, str, str]]:
    return {
        name: ("Decimal(38, 4)", f"toDecimal128({sql}, 4) / intExp10(exponent)", ""),
        f"{name}_minor": ("Int128", sql, f"{name} in minor units."),
    }


_FIXED: Final = fixed_scores(0)
_QUINTILES: Final = quintiles(0)
_RUNS: Final = ("UInt8", "max({})", "1: the month still runs, and this is as of the snapshot")
_ONE: Final = "sumIf(toInt128(net), receipts = 1)"
_REPEAT: Final = "sumIf(toInt128(net), receipts > 1)"
_BUYERS: Final = "countIf(bought_0 > 0)"
_REPEATERS: Final = "countIf(bought_0 > 0 AND ever_0 > 1)"

VIEWS: Final = (
    CustomerView(
        "customers_by_recency",
        "Customers by whole months since their last receipt, as of the latest snapshot",
        f"(SELECT store_id, last_day AS as_of_date, {WHOLE_MONTHS} AS months_since FROM"
        f" (SELECT store_id, any(today) AS last_day, max(store_date) AS last_0 FROM {_RECEIPTS}"
        " GROUP BY store_id, person_hash))",
        ("store_id", "as_of_date", "months_since"),
        {
            "customers_by_recency": _count(
                "count()", "M43: Customers by whole calendar months since their last receipt."
            )
        },
    ),
    CustomerView(
        "customers",
        "Customers by their receipts of the base period, as of the latest snapshot",
        f"(SELECT store_id, any(today) AS as_of_date, any(receipts) AS receipts FROM {_RECEIPTS}"
        " GROUP BY store_id, person_hash)",
        ("store_id", "as_of_date"),
        {
            "one_receipt_customers": _count("countIf(receipts = 1)"),
            "repeat_customers": _count("countIf(receipts > 1)"),
            "repeat_customers_pct": _percent("countIf(receipts > 1)", "count()"),
        },
    ),
    CustomerView(
        "customer_revenue",
        "Receipt totals of the base period by currency, as of the latest snapshot",
        f"(SELECT *, today AS as_of_date FROM {_RECEIPTS})",
        ("store_id", "as_of_date", "currency", "exponent"),
        {
            **_money("one_receipt_revenue", _ONE),
            **_money("repeat_revenue", _REPEAT),
            "repeat_revenue_pct": _percent(_REPEAT, "sum(toInt128(net))"),
        },
    ),
    CustomerView(
        "customers_monthly",
        "Segments and repeat purchases at the end of each month",
        _PERSONS_BY_MONTH,
        ("store_id", "month"),
        {
            "is_provisional": ("UInt8", _RUNS[1].format("runs"), _RUNS[2]),
            "best_customers": (
                "Nullable(UInt64)",
                f"if(any(runs), NULL, if(any(fixed), {_FIXED['best']}, {_QUINTILES['best']}))",
                "",
            ),
            "lost_customers": (
                "Nullable(UInt64)",
                f"if(any(runs), NULL, if(any(fixed), {_FIXED['lost']}, {_QUINTILES['lost']}))",
                "",
            ),
            "buyers": _count(_BUYERS, "M48: Customers with a receipt in the month."),
            "repeat_buyers": _count(
                _REPEATERS, "M48: Of these, those with two receipts or more up to its end."
            ),
            "repeat_purchase_share": _percent(_REPEATERS, _BUYERS),
            "known_customers": _count("count()", "M48: Customers with a receipt up to the end of the month."),
            "known_repeat_customers": _count("countIf(ever_0 > 1)", "M48: Of these, those with two or more."),
            "repeat_purchase_share_of_base": _percent("countIf(ever_0 > 1)", "count()"),
        },
    ),
    CustomerView(
        "assisted_receipts_monthly",
        "Receipts of each month with and without a communication before",
        _TOUCHED,
        ("store_id", "month"),
        {
            "is_provisional": ("UInt8", _RUNS[1].format("is_running"), _RUNS[2]),
            "assisted_receipts": _count("countIf(assisted)"),
            "regular_receipts": _count("countIf(NOT assisted)"),
        },
    ),
    CustomerView(
        "assisted_revenue_monthly",
        "Totals of the receipts of each month with and without a communication before, by currency",
        _TOUCHED,
        ("store_id", "month", "currency", "exponent"),
        {
            "is_provisional": ("UInt8", _RUNS[1].format("is_running"), _RUNS[2]),
            **_money("assisted_amount", "sumIf(toInt128(net), assisted)"),
            **_money("regular_amount", "sumIf(toInt128(net), NOT assisted)"),
        },
    ),
)


def rendered_customer_views() -> str:
    """The migration: one CREATE VIEW each."""
    return "\n".join((_HEAD, *map(_statement, VIEWS)))


def _statement(view: CustomerView) -> str:
    keys = ", ".join(view.keys)
    shown = ",\n    ".join((keys, *(f"{sql} AS {name}" for name, (_, sql, _) in view.columns.items())))
    return (
        f"CREATE OR REPLACE VIEW {view.name} (\n    " + ",\n    ".join(_declared(view)) + "\n) AS\n"
        f"SELECT\n    {shown}\nFROM {view.rows}\nGROUP BY {keys}\n"
        "SETTINGS do_not_merge_across_partitions_select_final = 1\n"
        f"COMMENT {quoted(view.says)};\n"
    )


def _declared(view: CustomerView) -> Iterator[str]:
    for key in view.keys:
        kind, says = _KEYS[key]
        yield f"`{key}` {kind} COMMENT {quoted(says)}"
    for name, (kind, _, says) in view.columns.items():
        told = says or f"{METRICS[name].number}: {METRICS[name].says}"
        yield f"`{name}` {kind} COMMENT {quoted(told)}"
