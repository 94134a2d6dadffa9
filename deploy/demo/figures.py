"""The figures the demo compares: what ClickHouse says, what the simulator knows, and where they differ."""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from deploy.query import Server, rows
from deploy.simulator import OrderDay, Truth
from deploy.simulator.truth import ACCEPTED, DEAD_LETTER, DUPLICATE, TEST_TRAFFIC

Counts = dict[str, int]

BUCKETS: Final = ("accepted", "duplicate", "test_traffic", "dead_letter", "too_late")
MONEY: Final = ("orders", "units", "revenue", "canceled_orders", "canceled_revenue", "refunded_revenue")
DIFFERENCES_SHOWN: Final = 20

_BUCKETS_SQL: Final = """
SELECT topic, sum(read) - sum(forwarded), sum(accepted), sum(duplicate), sum(test_traffic), sum(dead_letter),
       sum(too_late), sum(abs(unaccounted))
FROM buckets GROUP BY topic ORDER BY topic
"""
_REASONS_SQL: Final = "SELECT topic, reason, count() FROM dead_letter_records GROUP BY topic, reason"
_ORDERS_SQL: Final = """
SELECT concat(store_id, ' ', toString(store_date), ' ', currency), sum(total_orders), sum(items),
       sum(total_revenue_minor), sum(canceled_orders), sum(canceled_revenue_minor), sum(refunded_revenue_minor)
FROM revenue_daily GROUP BY store_id, store_date, currency
"""
_FACTS_SQL: Final = """
SELECT 'goals', count() FROM goal
UNION ALL SELECT 'journeys started', countIf(is_started) FROM journey_executions
UNION ALL SELECT 'communications', count() FROM notification
"""
# What each of these is in the account of what was sent: the simulator starts an execution and sends a message once.
_FACTS: Final = {
    "goals": ("session", "goal_reached"),
    "journeys started": ("journey-node", "started"),
    "communications": ("journey-node", "notification_sent"),
}


class Figures(msgspec.Struct):
    """What can be compared. Money in minor units; keys that would count nothing are left out."""

    read: int = 0
    unaccounted: int = 0
    """Records read minus all buckets, partition by partition: always 0."""
    buckets: Counts = {}
    """`<topic> <bucket>` -> records."""
    reasons: Counts = {}
    """`<topic> <reason>` -> dead letters that are stored."""
    money: Counts = {}
    """`<store> <date> <currency> <measure>` -> orders, units or minor units on that day."""
    facts: Counts = {}
    """Goals, started journeys and communications, as the views have them."""

    def less(self, other: "Figures") -> "Figures":
        """What came on top of `other`, an earlier reading."""
        return Figures(
            self.read - other.read,
            self.unaccounted,
            _less(self.buckets, other.buckets),
            _less(self.reasons, other.reasons),
            _less(self.money, other.money),
            _less(self.facts, other.facts),
        )

    def bucket_totals(self) -> Counts:
        """Bucket -> records over all topics."""
        return {
            bucket: sum(count for name, count in self.buckets.items() if name.endswith(f" {bucket}"))
            for bucket in BUCKETS
        }

    def money_totals(self) -> dict[str, Counts]:
        """Currency -> measure -> sum over stores and days."""
        totals: dict[str, Counts] = {}
        for name, value in sorted(self.money.items()):
            _, _, currency, measure = name.split(" ")
            counts = totals.setdefault(currency, dict.fromkeys(MONEY, 0))
            counts[measure] += value
        return totals


def read_figures(server: Server) -> Figures:
    """The figures as ClickHouse has them now. Blocks. Raises QueryRefused, Unreachable."""
    figures = Figures()
    for topic, read, *counts, unaccounted in rows(server, _BUCKETS_SQL):
        figures.read += int(read)
        figures.unaccounted += int(unaccounted)
        for bucket, count in zip(BUCKETS, counts, strict=True):
            _put(figures.buckets, f"{topic} {bucket}", int(count))
    for topic, reason, count in rows(server, _REASONS_SQL):
        _put(figures.reasons, f"{topic} {reason}", int(count))
    for day, *values in rows(server, _ORDERS_SQL):
        for measure, value in zip(MONEY, values, strict=True):
            _put(figures.money, f"{day} {measure}", int(value))
    for fact, count in rows(server, _FACTS_SQL):
        _put(figures.facts, fact, int(count))
    return figures


def expected_figures(truth: Truth) -> Figures:
    """The figures as the simulator knows them. It sends nothing too late, so nothing may end there."""
    figures = Figures(read=truth.records)
    for topic, counts in truth.buckets.items():
        for name, count in counts.items():
            bucket, _, reason = name.partition(":")
            if bucket not in (ACCEPTED, DUPLICATE, TEST_TRAFFIC, DEAD_LETTER):
                raise ValueError(f"the demo's scenario must leave nothing to the watermark, but sent {name}")
            place = f"{topic} {bucket}"
            figures.buckets[place] = figures.buckets.get(place, 0) + count
            if reason:
                _put(figures.reasons, f"{topic} {reason}", count)
    for (store, date, currency), day in truth.order_days().items():
        for measure in MONEY:
            _put(figures.money, f"{store} {date} {currency} {measure}", _measure(day, measure))
    for fact, (topic, kind) in _FACTS.items():
        _put(figures.facts, fact, truth.types.get(topic, {}).get(kind, 0))
    return figures


def differences(expected: Figures, found: Figures) -> dict[str, list[str]]:
    """Part -> what differs in it, a line each; every list empty means equal."""
    return {
        "buckets_add_up": [f"unaccounted: {found.unaccounted} records"] if found.unaccounted else [],
        "read": list(_differ({"records read": expected.read}, {"records read": found.read})),
        "buckets": list(_differ(expected.buckets, found.buckets)),
        "dead_letters": list(_differ(expected.reasons, found.reasons)),
        "orders": list(_differ(expected.money, found.money)),
        "goals_journeys": list(_differ(expected.facts, found.facts)),
    }


def _differ(expected: Mapping[str, int], found: Mapping[str, int]) -> Iterator[str]:
    for name in sorted({*expected, *found}):
        if expected.get(name, 0) != found.get(name, 0):
            yield f"{name}: sent {expected.get(name, 0):,}, found {found.get(name, 0):,}"


def _measure(day: OrderDay, measure: str) -> int:
    return int(getattr(day, measure))


def _put(counts: Counts, name: str, value: int) -> None:
    if value:
        counts[name] = value


def _less(counts: Counts, other: Counts) -> Counts:
    less = {name: counts.get(name, 0) - other.get(name, 0) for name in {*counts, *other}}
    return {name: value for name, value in less.items() if value}
