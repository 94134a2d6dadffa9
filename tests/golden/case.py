"""What a golden case is, how it may arrive, and how rows are checked against it."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.rows import OrderRow
from schemas.stores import Store
from tests.oracle.records import RawRecord, RowKey, Rows
from tests.oracle.wire import Sent, raw_records

HOUR_MS: Final = 3_600_000

Expected = Mapping[str, Mapping[RowKey, Mapping[str, Any]]]
Money = Mapping[tuple[str, int], Mapping[str, int]]


@dataclass(frozen=True)
class Case:
    """`expected`: table -> key -> columns; a table named here must hold exactly these keys.

    `money`: (currency, store date) -> sums in minor units (see `money_of`), exactly these.
    """

    name: str
    events: Sequence[Sent]
    expected: Expected
    money: Money = field(default_factory=dict)
    stores: Mapping[str, Store] = field(default_factory=lambda: {"acme": Store()})

    @property
    def records(self) -> list[RawRecord]:
        """The events as raw records, in the order they happened."""
        return raw_records(self.events)


def arrivals(case: Case) -> Iterator[tuple[str, list[RawRecord]]]:
    """Ways in which the same events may arrive, all within the allowed lateness: (name, records)."""
    events = list(case.events)
    yield "in order", raw_records(events)
    yield "everything twice", raw_records(event for event in events for _ in range(2))
    times = [event.timestamp_ms for event in events]
    last_hour = [event for event in events if event.timestamp_ms >= max(times) - HOUR_MS]
    # Golden 11: a worker dies in the middle of a batch and the last hour is read once more.
    yield "last hour again", raw_records([*events, *last_hour])
    if max(times) - min(times) <= min(store.allowed_lateness_ms for store in case.stores.values()):
        yield "backwards", raw_records(reversed(events))
        for seed in range(5):
            mixed = events * 2
            random.Random(seed).shuffle(mixed)
            yield f"shuffled twice over, {seed}", raw_records(mixed)


def check(case: Case, rows: Rows) -> None:
    """AssertionError naming case, table, key and column unless the rows are the expected ones."""
    for table, by_key in case.expected.items():
        found, wanted = set(rows[table]), set(by_key)
        assert found == wanted, (
            f"{case.name}: {table}: missing {wanted - found}, not expected {found - wanted}"
        )
        for key, columns in by_key.items():
            for column, value in columns.items():
                actual = getattr(rows[table][key], column)
                assert actual == value, f"{case.name}: {table} {key}: {column} is {actual!r}, not {value!r}"
    if case.money:
        actual_money = money_of(rows)
        assert actual_money == case.money, f"{case.name}: money is {actual_money}, not {dict(case.money)}"


def money_of(rows: Rows) -> dict[tuple[str, int], dict[str, int]]:
    """(currency, store date) -> non-zero sums: captured, direct, assisted, unattributed on the order's day; canceled
    and refunded (of the total) and the credit they take back (`direct_back`, ...) on their own day."""
    sums: dict[tuple[str, int], dict[str, int]] = {}

    def add(currency: str, day: int, name: str, value: int) -> None:
        if value:
            there = sums.setdefault((currency, day), {})
            there[name] = there.get(name, 0) + value

    kinds = {"direct": "direct", "assisted": "assisted", "none": "unattributed"}
    row: OrderRow
    for row in rows["orders"].values():
        add(row.currency, row.store_date, "captured", row.total)
        for credit, paid in zip(row.credit, row.paid, strict=True):
            add(row.currency, row.store_date, kinds[credit], paid)
        for index, kind in enumerate(row.adjustment):
            day = row.adjustment_date[index]
            name = {"cancel": "canceled", "refund": "refunded"}[kind]
            add(row.currency, day, name, row.adjustment_amount[index])
            for credit, taken in zip(row.credit, row.adjustment_lines[index], strict=True):
                add(row.currency, day, kinds[credit] + "_back", taken)
    return sums
