"""The customer base (M43 to M50): which instants it is looked at from, and its answers as values of a report.

It has no previous period (H97): the snapshot stands for itself, months stand beside each other.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from fractions import Fraction
from typing import Any, Final

from dashboard.asking import Ask, Freshness, Value
from dashboard.compiling import born_by
from dashboard.periods import Clock, Resolved
from schemas.currencies import EXPONENTS
from schemas.metrics.customer_sql import (
    CHANNEL,
    TOUCH_DIMENSIONS,
    FixedScores,
    Query,
    Slot,
    assisted_query,
    base_query,
    currencies_query,
)
from schemas.metrics.customers import ASSISTED, RECENCY_MONTHS, SNAPSHOT
from schemas.stores import Store

SNAPSHOT_HOURS: Final = (0, 6, 12, 18)  # H110
RECENCY_GROUPS: Final = ((0, 1), (1, 3), (3, 7), (7, 11), (11, 12))  # whole months, half-open (M43)
SCORED_AT_ONCE: Final = 60
"""Months in one query, which ClickHouse takes two seconds to understand. With 167 the text is longer than it reads at all
(max_query_size, 262,144 bytes)."""

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CustomerAsk:
    """What is asked. `as_of` in epoch ms; `first` to `last`: the period's store dates, None for an empty one."""

    store_id: str
    store: Store
    as_of: int
    first: date | None
    last: date | None
    channel: str | None = None
    by: tuple[str, ...] = ()

    @property
    def by_channel(self) -> bool:
        """Whether every channel is told apart, each as if it were asked for alone (H122)."""
        return CHANNEL in self.by

    @property
    def touch(self) -> str:
        """By which dimension of the latest communication assisted receipts are told apart; empty for none."""
        return next((each for each in self.by if each in TOUCH_DIMENSIONS), "")


def customer_ask(ask: Ask, known: Freshness, as_of: int, resolved: Resolved) -> CustomerAsk:
    """What a report's question asks of the customer base."""
    span = resolved.current
    first, last = (None, None) if span is None else (span.first, span.last)
    return CustomerAsk(
        store_id=ask.store,
        store=known.settings,
        as_of=as_of,
        first=first,
        last=last,
        channel=ask.channel,
        by=ask.by,
    )


def snapshot_instant(clock: Clock, as_of: int) -> int:
    """The latest of 00:00, 06:00, 12:00 and 18:00 store time at or before `as_of`, all in epoch ms (H110)."""
    today = clock.day(as_of)
    instants = [clock.start(today - _DAY), clock.start(today)]
    instants += [
        clock.instant(day, time(hour)) for day in (today - _DAY, today) for hour in SNAPSHOT_HOURS if hour
    ]
    return max(at for at in instants if at <= as_of)


def slots_of(ask: CustomerAsk) -> tuple[Slot, list[Slot]]:
    """The snapshot, and every month that the period touches (H116); the running one is as of the snapshot (H115)."""
    clock, days = Clock(ask.store.zone), ask.store.base_period_days
    snapshot = snapshot_instant(clock, ask.as_of)
    months = []
    if ask.first is not None and ask.last is not None:
        month = ask.first.replace(day=1)
        while month <= ask.last:
            following = (month + 31 * _DAY).replace(day=1)
            end = clock.start(following)
            is_over = end <= snapshot
            months.append(
                Slot(min(end, snapshot), following - _DAY, days, month, month_end=end, scored=is_over)
            )
            month = following
    return Slot(snapshot, clock.day(snapshot), days), months


async def customer_values(client: Any, ask: CustomerAsk, names: Sequence[str]) -> list[Value]:
    """The values of these metrics; their `by` is as `schemas.metrics.customers.told_apart_by` says.

    `client`: clickhouse-connect's, asynchronous.
    """
    jobs = []
    if not set(names) <= set(ASSISTED):
        jobs.append(_base(client, ask))
    if set(names) & set(ASSISTED):
        jobs.append(_assisted(client, ask))
    answers = await asyncio.gather(*jobs)
    found = [value for values in answers for value in values if value.metric in names]
    if ask.first is None:
        # No month lies in an empty period (H103); the snapshot has no period and is there all the same.
        found += [Value(metric=name) for name in names if name not in SNAPSHOT]
    return found


async def _base(client: Any, ask: CustomerAsk) -> list[Value]:
    snapshot, months = slots_of(ask)
    # The running month is looked at from the snapshot's instant, so one slot answers both.
    running = months[-1] if months and not months[-1].scored else None
    first = snapshot._replace(month=running.month) if running else snapshot
    scored = list(enumerate((slot for slot in months if slot.scored), 1))
    found = await _rows(client, currencies_query(ask.store_id))
    currencies = _home_first(ask, (row["currency"] for row in found))
    rfm = ask.store.rfm
    fixed = FixedScores(rfm.r_days, rfm.f, rfm.m) if rfm.method == "fixed" else None
    # A store without receipts: counts 0, ratios null.
    rows: dict[str, dict[str, Any]] = {} if ask.by_channel else {"": {"segment": ""}}
    # One after the other: each looks at all orders of the store, and keeps numbers of every customer.
    for start in range(0, max(1, len(scored)), SCORED_AT_ONCE):
        query = base_query(
            ask.store_id,
            {0: first, **dict(scored[start : start + SCORED_AT_ONCE])},
            currencies,
            channel=ask.channel,
            by_channel=ask.by_channel,
            fixed=fixed,
        )
        for row in await _rows(client, query):
            rows.setdefault(str(row["segment"]), {}).update(row)
    numbers = {slot: number for number, slot in scored}
    values: list[Value] = []
    for _, row in sorted(rows.items()):
        values += _snapshot_values(row, currencies, ask)
        for slot in months:
            values += _month_values(row, slot, numbers.get(slot, 0), ask)
    return values


def _snapshot_values(row: Mapping[str, Any], currencies: Sequence[str], ask: CustomerAsk) -> Iterator[Value]:
    channel = (str(row["segment"]),) if ask.by_channel else ()
    by_month: Mapping[int, int] = row.get("recency", {})
    groups = [(n, n + 1) for n in range(12)] if RECENCY_MONTHS in ask.by else RECENCY_GROUPS
    for low, high in groups:
        name = str(low) if RECENCY_MONTHS in ask.by else f"{low}-{high}"
        count = sum(by_month.get(n, 0) for n in range(low, high))
        yield Value(metric="customers_by_recency", by=(name, *channel), current=count)
    one, repeat = _int(row, "one_customers"), _int(row, "repeat_customers")
    yield Value(metric="one_receipt_customers", by=channel, current=one)
    yield Value(metric="repeat_customers", by=channel, current=repeat)
    yield _percent("repeat_customers_pct", repeat, one + repeat, by=channel)
    for number, currency in enumerate(currencies):
        # The store's own currency is always told, another one only if a receipt has it.
        if number and not _int(row, f"seen_{number}"):
            continue
        money: dict[str, Any] = {"by": channel, "currency": currency, "exponent": EXPONENTS[currency]}
        one, repeat = _int(row, f"one_revenue_{number}"), _int(row, f"repeat_revenue_{number}")
        yield Value(metric="one_receipt_revenue", current=one, **money)
        yield Value(metric="repeat_revenue", current=repeat, **money)
        yield _percent("repeat_revenue_pct", repeat, one + repeat, **money)


def _month_values(row: Mapping[str, Any], slot: Slot, number: int, ask: CustomerAsk) -> Iterator[Value]:
    named = _named(slot, (str(row["segment"]),) if ask.by_channel else ())
    for name in ("best", "lost"):
        # A month that still runs has no scores yet: unknown, not none (H115).
        count = _int(row, f"{name}_{number}") if slot.scored else None
        yield Value(metric=f"{name}_customers", current=count, **named)
    buyers, known = _int(row, f"buyers_{number}"), _int(row, f"known_{number}")
    yield _percent("repeat_purchase_share", _int(row, f"repeat_buyers_{number}"), buyers, **named)
    yield _percent("repeat_purchase_share_of_base", _int(row, f"known_repeat_{number}"), known, **named)


async def _assisted(client: Any, ask: CustomerAsk) -> list[Value]:
    _, months = slots_of(ask)
    if not months:
        return []
    segment = ask.touch or (CHANNEL if ask.by_channel else "")
    window = ask.store.attribution_window_ms
    born = born_by(ask.store, months[0].month or months[0].base_from)
    query = assisted_query(ask.store_id, months, window, born_from=born, channel=ask.channel, segment=segment)
    rows = await _rows(client, query)
    metrics = [name for name in ASSISTED if not (ask.touch and name.startswith("regular"))]
    if ask.touch:
        rows = [row for row in rows if row["assisted_receipts"]]
    segments = sorted({str(row["segment"]) for row in rows}) if segment else [""]
    currencies = _home_first(ask, (row["currency"] for row in rows))
    totals: dict[tuple[int, str, str, str], int] = {}
    for row in rows:
        for name in metrics:
            money = str(row["currency"]) if name.endswith("_amount") else ""
            place = (int(row["slot"]), str(row["segment"]), money, name)
            totals[place] = totals.get(place, 0) + int(row[name])
    values = []
    for number, slot in enumerate(months):
        for told in segments:
            for name in metrics:
                for money in currencies if name.endswith("_amount") else ("",):
                    named = _named(slot, (told,) if segment else ())
                    if money:
                        named |= {"currency": money, "exponent": EXPONENTS[money]}
                    values.append(
                        Value(metric=name, current=totals.get((number, told, money, name), 0), **named)
                    )
    return values


async def _rows(client: Any, query: Query) -> list[dict[str, Any]]:
    answer = await client.query(query.sql, parameters=query.params)
    return list(answer.named_results())


def _home_first(ask: CustomerAsk, found: Iterable[str]) -> list[str]:
    home = ask.store.currency
    return [home, *sorted({str(each) for each in found} - {home})]


def _int(row: Mapping[str, Any], name: str) -> int:
    return int(row.get(name, 0))


def _percent(metric: str, part: int, whole: int, **named: Any) -> Value:
    current = Fraction(100 * part, whole) if whole else None
    return Value(metric=metric, current=current, numerator=part, denominator=whole, **named)


def _named(slot: Slot, segment: tuple[str, ...]) -> dict[str, Any]:
    assert slot.month is not None
    late = not slot.scored
    return {
        "by": (f"{slot.month:%Y-%m}", *segment),
        "is_provisional": late,
        "matures_at": slot.month_end if late else None,
    }
