"""The histories that are sent: several shops, zones and currencies, with everything going wrong at once."""

import time
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from deploy.simulator.history import history, new_truth
from deploy.simulator.scenario import Habits, Rates, Scenario, StoreSpec
from deploy.simulator.truth import Truth
from deploy.simulator.wire import SimRecord

HOUR_MS = 3_600_000
DAY_SECONDS = 86_400
SHOPS = (
    StoreSpec(store_id="acme", people=60, products=40, other_currencies=("USD",)),
    StoreSpec(store_id="sakura", zone="Asia/Tokyo", currency="JPY", people=40, products=40),
    StoreSpec(store_id="souk.kw", zone="Asia/Kuwait", currency="KWD", people=30, products=30, tax_percent=8),
)
MANY = 20
ZONES = ("Europe/Madrid", "Asia/Tokyo", "America/New_York", "Asia/Kuwait", "America/Sao_Paulo")
CURRENCIES = ("EUR", "JPY", "USD", "KWD", "BRL", "CLP", "TND")
# Late by six hours at most: the rest of the allowed lateness stays for what kills and forwarding hold up.
RATES = Rates(
    duplicates=0.05,
    disorder=0.10,
    late=0.01,
    late_bound_ms=6 * HOUR_MS,
    poison=0.01,
    test_traffic=0.01,
    misrouted=0.02,
)


class History(NamedTuple):
    """A scenario and its records, in the order in which they reach the log; `truth` accounts for each as it is taken."""

    scenario: Scenario
    records: Iterator[SimRecord]
    truth: Truth


def small_history(*, seed: int = 1, rates: Rates = RATES, days: float = 1, visits: float = 14) -> History:
    """`visits` * 290 records or so, up to now. `visits`: a person's in a week.

    Of one day: read at full speed, a forwarded record lands when its new partition is hours of event time further, and
    must not be older than the allowed lateness then.
    """
    return _history(SHOPS, days=days, seed=seed, rates=rates, visits=visits)


def large_history(events: int, *, people: int, days: float, seed: int) -> History:
    """About `events` records of `people` people in three shops over `days` days."""
    shares = (0.5, 0.3, 0.2)
    stores = tuple(
        msgspec.structs.replace(shop, people=int(people * share), products=300)
        for shop, share in zip(SHOPS, shares, strict=True)
    )
    return _of_size(stores, events, days=days, seed=seed)


def many_shops(events: int, *, people: int, days: float, seed: int) -> History:
    """About `events` records of `people` people in twenty shops, the largest fourteen times the smallest.

    So many that whole shops can be drawn by lot and computed again, when all of them would take hours.
    """
    shares = [1.15**number for number in range(MANY)]
    stores = tuple(
        StoreSpec(
            store_id=f"shop-{number:02d}",
            zone=ZONES[number % len(ZONES)],
            currency=CURRENCIES[number % len(CURRENCIES)],
            other_currencies=("USD",) if number % 3 == 0 else (),
            people=max(1, int(people * share / sum(shares))),
            products=150,
            tax_percent=8 if number % 4 == 1 else 0,
        )
        for number, share in enumerate(shares)
    )
    return _of_size(stores, events, days=days, seed=seed)


def _of_size(stores: tuple[StoreSpec, ...], events: int, *, days: float, seed: int) -> History:
    rates = msgspec.structs.replace(RATES, poison=0.001, test_traffic=0.005, misrouted=0.002)
    once = _history(stores, days=days, seed=seed, rates=rates, visits=1.0).scenario.expected_records
    return _history(stores, days=days, seed=seed, rates=rates, visits=events / once)


def _history(
    stores: tuple[StoreSpec, ...], *, days: float, seed: int, rates: Rates, visits: float
) -> History:
    now_ms = time.time_ns() // 1_000_000
    # Guests who log in: what they did before is the customer's then, in another partition.
    habits = Habits(visits_per_week=visits, login_rate=0.2)
    scenario = Scenario.ending(now_ms, days=days, seed=seed, stores=stores, rates=rates, habits=habits)
    truth = new_truth(scenario)
    return History(scenario, history(scenario, truth, stamped_at_ms=now_ms), truth)
