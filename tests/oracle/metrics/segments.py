"""Recency, frequency and money from 1 to 5 (H117, H118): 5 is the most recent, the most often, the most spent."""

from collections.abc import Mapping, Sequence
from datetime import date

from schemas.stores import Store
from tests.oracle.metrics.receipts import Receipt

Customers = Mapping[str, Sequence[Receipt]]


def scores_of(customers: Customers, last: date, store: Store) -> dict[str, tuple[int, int, int]]:
    """Customer -> (R, F, M) at the end of `last`; money in the store's currency alone."""
    last_days = {person: max(receipt.day for receipt in own) for person, own in customers.items()}
    counts = {person: len(own) for person, own in customers.items()}
    spent = {
        person: sum(receipt.total for receipt in own if receipt.purchase.currency == store.currency)
        for person, own in customers.items()
    }
    if store.rfm.method == "fixed":
        ages = {person: (last - day).days for person, day in last_days.items()}
        recency = {person: 5 - sum(age > most for most in store.rfm.r_days) for person, age in ages.items()}
        frequency = {person: fixed(count, store.rfm.f) for person, count in counts.items()}
        money = {person: fixed(amount, store.rfm.m) for person, amount in spent.items()}
    else:
        recency = quintiles({person: day.toordinal() for person, day in last_days.items()})
        frequency, money = quintiles(counts), quintiles(spent)
    return {person: (recency[person], frequency[person], money[person]) for person in customers}


def fixed(value: int, thresholds: Sequence[int]) -> int:
    """1 + how many thresholds the value has reached."""
    return 1 + sum(threshold <= value for threshold in thresholds)


def quintiles(values: Mapping[str, int]) -> dict[str, int]:
    """1 + how many of the four cut points lie below the value; cut k is the value at position ceil(k * N / 5)."""
    ascending = sorted(values.values())
    count = len(ascending)
    cuts = [ascending[-(-rank * count // 5) - 1] for rank in range(1, 5)] if count else []
    return {person: 1 + sum(cut < value for cut in cuts) for person, value in values.items()}
