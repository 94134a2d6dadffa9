"""Orders that two persons have captured, in one partition or in several, are one row (H50, H51), whatever came first."""

import random
from typing import Any

import pytest

from schemas.stores import Store
from tests.driver import PipelineDriver
from tests.golden.cases import MINUTE, TEN, event
from tests.oracle.recompute import recompute
from tests.oracle.records import RawRecord
from tests.oracle.wire import partition_of, raw_records
from tests.processors.test_identity import ANN, BOB, BOUGHT, CID, DAY, DEVICE, P1, live, login, told
from tests.worlds import compare

PARTITIONS = 6
HOME = {
    name: partition_of(f"acme|{name}".encode(), PARTITIONS) for name in ("ann", "bob", "cid", "x", "order:o1")
}


def test_an_order_of_two_persons_is_the_earliers_with_the_lines_of_the_highest_version() -> None:
    lines = [{"product_id": "p2", "quantity": 2, "unit_price": 5}]
    later = {"order_id": "o1", "order_version": 3, "currency": "EUR", "lines": lines, "total": 10}
    driver = told(
        event("order", "captured", TEN + 9 * MINUTE, **BOB, **later, session_id="b"),
        event("order", "captured", TEN, **ANN, **BOUGHT, order_id="o1", session_id="a"),
        event("order", "refunded", TEN + DAY, order_id="o1", refund_id="r", amount=4),
        partitions=5,
    )
    order = driver.rows()["orders"]["acme", "o1"]
    assert (order.person, order.session_key, order.total, order.adjustment_amount) == (
        "c:ann",
        "s:a",
        1000,
        [400],
    )
    assert set(driver.rows()["sessions"]) == {("acme", "c:ann", "s:a")}


def test_who_stops_writing_an_order_is_outdone_by_who_goes_on() -> None:
    """Bob's partition, whose clock is ahead, writes the order once more before it hears of ann's earlier capture."""
    driver = PipelineDriver({"acme": Store()}, partitions=6)
    here = {name: partition_of(f"acme|{name}".encode(), 6) for name in ("ann", "bob", "order:o1")}
    assert len(set(here.values())) == 3

    def take(*names: str) -> None:
        for name in names:
            driver.deliver(here[name])
            driver.commit_one(here[name])

    records = raw_records(
        [
            event("order", "captured", TEN + 9 * MINUTE, **BOB, **BOUGHT, order_id="o1"),
            event("order", "captured", TEN, **ANN, **BOUGHT, order_id="o1"),
            event("impression", "shown", TEN + MINUTE, **BOB, widget_id="W", products=P1),
        ],
        partitions=6,
    )
    driver.pipe(records[:1])
    driver.pipe(records[1:2], commit=False)
    # Ann says that she has it; the order's partition names both to both; they tell each other, and ann writes the row.
    take("ann", "order:o1", "bob", "ann")
    driver.now_ms += 1_000
    driver.pipe(records[2:], commit=False)
    driver.commit_one(here["bob"])
    versions = {row.person: row.version for row in driver.written("orders")}
    assert versions["c:bob"] > versions["c:ann"], "or there is nothing to outdo"
    driver.commit()
    assert not compare(driver.rows(), recompute(records, driver.stores).rows)


def settle(driver: PipelineDriver) -> None:
    """Let everything arrive. The partitions come to rest: no news of an order calls forth news for ever."""
    for _ in range(20):
        for number in range(PARTITIONS):
            driver.commit_one(number)
        if not sum(driver.deliver(number) for number in range(PARTITIONS)):
            return
    raise AssertionError("the partitions still tell each other something")


def assert_one_row(driver: PipelineDriver, records: list[RawRecord]) -> None:
    """A reader with FINAL sees the oracle's row, under one day; no version of a row ever had two contents."""
    contents: dict[Any, Any] = {}
    for row in driver.written("orders"):
        place = (row.store_id, row.born, row.order_id, row.version)
        assert contents.setdefault(place, row) == row, "two partitions wrote the same version"
    assert [key[1:] for key in live(driver, "orders", 2, by_day=True)] == [("acme", "o1")]
    assert not compare(driver.rows(), recompute(records, driver.stores).rows)


@pytest.mark.parametrize("batch", range(5))
def test_captures_of_three_partitions_on_three_days_are_one_row_whatever_the_order_of_epochs(
    batch: int,
) -> None:
    assert len(set(HOME.values())) == len(HOME) - 1, "the people live apart"
    for seed in range(100 * batch, 100 * batch + 100):
        driver, records = captured_on_three_days(random.Random(seed))
        assert not driver.dead_letters
        assert_one_row(driver, records)


def captured_on_three_days(chance: random.Random) -> tuple[PipelineDriver, list[RawRecord]]:
    """An order of ann, bob and a device that is cid's or ann's in the end: a capture leaves one and comes to another."""
    days = chance.sample(range(3), 3)
    captures = [
        event("order", "captured", TEN + day * DAY, **who, **BOUGHT, order_id="o1", order_version=day + 1)
        for day, who in zip(days, (ANN, BOB, DEVICE), strict=True)
    ]
    logins = [login(TEN + chance.choice((-1, 1)) * DAY, CID), login(TEN + chance.choice((0, 2)) * DAY, ANN)]
    records = raw_records([*captures, *logins], partitions=PARTITIONS)
    driver = PipelineDriver({"acme": Store(allowed_lateness_ms=5 * DAY)}, partitions=PARTITIONS)
    waiting = chance.sample(records, len(records))
    while waiting or chance.random() < 0.9:
        if waiting and chance.random() < 0.3:
            driver.pipe([waiting.pop()], commit=False)
        number = chance.choice(sorted(HOME.values()))
        if chance.random() < 0.7:
            driver.deliver(number)
        driver.commit_one(number)
        driver.now_ms += chance.choice((0, 0, 1))
    settle(driver)
    return driver, records
