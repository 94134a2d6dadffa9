"""Orders in the store's reporting currency: by hand, and whenever a rate comes."""

import random
from collections.abc import Mapping
from typing import Any

import pytest

from processors import rate_book
from processors.money import half_even
from processors.reporting import LARGEST, reported
from processors.resume import CannotResume
from processors.settlement import Adjustment
from schemas.rates import RateKey, parse_rates, rate_of
from schemas.rows import OrderRow
from schemas.stores import Store
from tests.driver import PipelineDriver
from tests.oracle.recompute import recompute
from tests.oracle.records import RawRecord
from tests.oracle.wire import Sent, raw_records
from tests.processors.test_convergence import assert_equal
from tests.worlds import World, random_world

TEN = 1_767_261_600_000  # 2026-01-01 10:00 UTC
DAY = 86_400_000
HEAD = "day,currency,reporting_currency,rate\n"
FIRST, SECOND = "2026-01-01,USD,EUR,0.9\n", "2026-01-02,USD,EUR,0.8\n"
STORES = {"acme": Store(reporting_currency="EUR")}


def told(rate: str, total: int, paid: list[int], *steps: tuple[int, list[int]], to: int = 2) -> Any:
    """An order in a currency of two digits."""
    found = rate_of(rate)
    assert found is not None
    adjustments = [Adjustment("refund", str(n), n, *step) for n, step in enumerate(steps)]
    return reported(
        total=total,
        paid=paid,
        exponent=2,
        adjustments=adjustments,
        rate=found,
        currency="EUR",
        reporting_exponent=to,
    )


def test_the_total_is_rounded_once_and_lines_with_shipping_make_it_up() -> None:
    # 100.01 at 0.925 is 92.50925; three lines of 30.00 and shipping of 10.01 are 27.75 each and 9.25925.
    order = told("0.925", 10_001, [3_000, 3_000, 3_000])
    assert (order.total, order.paid) == (9_251, [2_775, 2_775, 2_775])  # 9.26 is left for shipping
    # 0.99 at a third, less a bit: 0.33 of 0.3267; each line of 0.33 has 0.1089, and two get the cents left over.
    order = told("0.333", 99, [33, 33, 33])
    assert (order.total, order.paid) == (33, [11, 11, 11])
    order = told("0.35", 99, [33, 33, 33])  # 0.3465 is 0.35
    assert (order.total, order.paid) == (35, [12, 12, 11])


@pytest.mark.parametrize(("total", "whole"), [(1, 0), (3, 2), (5, 2), (7, 4), (0, 0)])
def test_a_half_goes_to_the_even_neighbour(total: int, whole: int) -> None:
    assert told("0.5", total, [total]).total == whole
    assert half_even(total, 2) == whole


def test_a_currency_without_cents_and_one_with_three_digits() -> None:
    assert told("162.305", 1_234, [1_234], to=0).total == 2_003  # 12.34 * 162.305 = 2002.8437
    assert told("0.3071", 1_234, [1_234], to=3).total == 3_790  # 3.789614


def test_what_is_taken_back_in_steps_leaves_nothing() -> None:
    thirds = [(33, [33]), (33, [33]), (34, [34])]
    order = told("0.5", 100, [100], *thirds)
    assert order.adjustment_amount == [16, 17, 17]  # 16.5 and 33 and 50
    assert order.adjustment_lines == [[16], [17], [17]]
    assert sum(order.adjustment_amount) == order.total == 50
    order = told("0.51", 110, [100], *thirds, (10, [0]))
    assert order.adjustment_amount == [17, 17, 17, 5]  # 16.83, 33.66, 51 and 56.1
    assert order.adjustment_lines == [[17], [17], [17], [0]]


def test_an_amount_beyond_all_columns_is_left_out_and_says_so() -> None:
    order = told("9300", 10**15 - 1, [10**15 - 1], (5, [5]))
    assert (order.reported, order.total, order.paid, order.rate) == (0, 0, [0], "9300")
    assert (order.adjustment_amount, order.adjustment_lines) == ([0], [[0]])
    assert told("9223", 10**15 - 1, [10**15 - 1]).total < LARGEST


def captured(order_id: str, at: int, currency: str = "USD", version: int = 1, total: str = "10.05") -> Sent:
    value = {
        "event_id": f"{order_id}-{version}",
        "type": "captured",
        "store_id": "acme",
        "customer_id": "ann",
        "occurred_at": at,
        "order_id": order_id,
        "order_version": version,
        "currency": currency,
        "lines": [{"product_id": "p", "quantity": 1, "unit_price": total}],
        "total": total,
    }
    return Sent("order", value, at)


def rows(driver: PipelineDriver) -> Mapping[str, OrderRow]:
    return {row.order_id: row for row in driver.rows()["orders"].values()}


def records(*sent: Sent) -> list[RawRecord]:
    return raw_records(sent)


def test_an_order_is_told_at_the_rate_of_its_own_day() -> None:
    driver = PipelineDriver(STORES, rates=parse_rates(HEAD + FIRST + SECOND))
    driver.pipe(records(captured("o1", TEN), captured("o2", TEN + DAY), captured("o3", TEN, "EUR")))
    found = rows(driver)
    assert {name: (row.reporting_rate, row.reporting_total) for name, row in found.items()} == {
        "o1": ("0.9", 904),  # 9.045, half to even
        "o2": ("0.8", 804),
        "o3": ("1", 1_005),
    }
    assert {row.reporting_currency for row in found.values()} == {"EUR"}
    assert {row.reported for row in found.values()} == {1}


def test_a_rate_that_comes_later_reaches_the_rows_with_the_next_start() -> None:
    driver = PipelineDriver(STORES, rates=parse_rates(HEAD + FIRST))
    driver.pipe(records(captured("o1", TEN), captured("o2", TEN + DAY)))
    assert [(row.reported, row.reporting_rate) for row in rows(driver).values()] == [(1, "0.9"), (0, "")]
    driver.crash(rates=parse_rates(HEAD + FIRST + SECOND))
    driver.commit()
    assert [row.reporting_total for row in rows(driver).values()] == [904, 804]
    written = len(driver.written("orders"))
    driver.crash()
    driver.commit()
    assert len(driver.written("orders")) == written, "an order that has its rate is not written again"


def test_an_order_that_another_version_has_moved_to_another_currency_waits_for_nothing() -> None:
    driver = PipelineDriver(STORES, rates=parse_rates(HEAD + FIRST))
    driver.pipe(records(captured("o1", TEN, "JPY", total="10")))
    driver.pipe(records(captured("o1", TEN, "USD", version=2)))
    assert rows(driver)["o1"].reporting_rate == "0.9"
    driver.crash(rates=parse_rates(HEAD + FIRST + "2026-01-01,JPY,EUR,0.006\n"))
    driver.commit()
    assert rows(driver)["o1"].reporting_rate == "0.9"


@pytest.mark.parametrize(
    ("now", "says"),
    [
        (HEAD + FIRST.replace("0.9", "0.91"), "was 0.9 when .* is 0.91 now"),
        (HEAD + SECOND, "was 0.9 when .* is not there now"),
    ],
)
def test_a_rate_that_rows_were_written_with_can_not_change(now: str, says: str) -> None:
    driver = PipelineDriver(STORES, rates=parse_rates(HEAD + FIRST))
    driver.pipe(records(captured("o1", TEN)))
    with pytest.raises(CannotResume, match=f"USD in EUR of 2026-01-01 {says}"):
        driver.crash(rates=parse_rates(now))
    driver.crash(
        rates=parse_rates(HEAD + SECOND + FIRST.replace("0.9", "0.90"))
    )  # the same, otherwise written


def test_a_rate_that_was_not_used_may_change_and_go() -> None:
    driver = PipelineDriver(STORES, rates=parse_rates(HEAD + FIRST + SECOND))
    driver.pipe(records(captured("o1", TEN)))
    driver.crash(rates=parse_rates(HEAD + FIRST))
    driver.crash(rates=parse_rates(HEAD + FIRST + "2026-01-02,USD,EUR,7\n"))
    driver.pipe(records(captured("o2", TEN + DAY)))
    assert rows(driver)["o2"].reporting_total == 7_035


@pytest.mark.parametrize("seed", range(60))
def test_rates_that_come_one_by_one_with_crashes_give_the_rows_of_them_all(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are those of the events and the rates, whichever was there first; many epochs may be needed for it."""
    monkeypatch.setattr(rate_book, "RENEWED_AN_EPOCH", 1 + seed % 3)
    world = random_world(seed, most_stories=40, identity=seed % 2 > 0).arriving(seed)
    assert_equal(rows_of_late_rates(world, seed), oracle_rows(world), world)


def oracle_rows(world: World) -> Any:
    return recompute(world.records, world.stores, rates=world.oracle_rates).rows


def rows_of_late_rates(world: World, seed: int) -> Any:
    chance = random.Random(seed)
    missing = list(world.rates)
    chance.shuffle(missing)
    known: dict[RateKey, Any] = {}
    driver = PipelineDriver(world.stores, partitions=chance.choice((1, 3)))
    left = list(world.records)
    while left or missing:
        size = chance.randint(1, 20)
        driver.pipe(left[:size], commit=chance.random() < 0.6)
        del left[:size]
        for _ in range(chance.randint(0, len(missing))):
            key = missing.pop()
            known[key] = world.rates[key]
        driver.crash(rates=dict(known))
    for _ in range(40):
        driver.commit()
    return driver.rows()
