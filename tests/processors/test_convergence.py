"""Rows are a function of the set of events: any order, repeats, chunks, epochs and crashes give the oracle's rows."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processors import shop, touches
from tests.driver import PipelineDriver
from tests.oracle.recompute import recompute
from tests.oracle.records import Rows
from tests.worlds import World, compare, random_world, worlds

SEEDS = 400


def rows_of(world: World, seed: int, *, crashes: bool = True, partitions: int = 1) -> Rows:
    """The rows of a world that arrives in pieces of random size, with epochs and crashes at random places."""
    chance = random.Random(seed)
    driver = PipelineDriver(world.stores, rates=world.rates, partitions=partitions)
    records = list(world.records)
    while records:
        size = chance.randint(1, 9)
        driver.pipe(records[:size], chunk=chance.randint(1, 5), commit=chance.random() < 0.5)
        del records[:size]
        if crashes and chance.random() < 0.25:
            driver.crash()
    driver.commit()
    assert not driver.dead_letters
    return driver.rows()


def assert_equal(ours: Rows, oracle: Rows, world: World) -> None:
    """No difference in any table, row and column."""
    differences = compare(ours, oracle)
    assert not differences, "\n".join(
        ["pipeline on the left, oracle on the right", *map(str, differences), repr(world)]
    )


@pytest.mark.parametrize("batch", range(8))
def test_random_worlds_in_any_order_with_repeats_and_crashes_equal_the_oracle(batch: int) -> None:
    for seed in range(batch * SEEDS // 8, (batch + 1) * SEEDS // 8):
        world = random_world(seed)
        oracle = recompute(world.records, world.stores, rates=world.oracle_rates).rows
        for arrival in (world, world.arriving(seed)):
            assert_equal(rows_of(arrival, seed), oracle, arrival)


@pytest.mark.parametrize("seed", range(40))
def test_long_histories_in_small_segments_equal_the_oracle(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(touches, "SEGMENT_CAPACITY", 3)
    monkeypatch.setattr(shop, "PEOPLE_BYTES_IN_MEMORY", 1)  # everybody is let go of, and loaded again
    monkeypatch.setattr(shop, "ORDERS_IN_MEMORY", 1)
    world = random_world(100_000 + seed, most_stories=50).arriving(seed)
    assert_equal(
        rows_of(world, seed), recompute(world.records, world.stores, rates=world.oracle_rates).rows, world
    )


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(world=worlds(), seed=st.integers(0, 2**32))
def test_any_world_equals_the_oracle(world: World, seed: int) -> None:
    arrival = world.arriving(seed)
    assert_equal(
        rows_of(arrival, seed), recompute(world.records, world.stores, rates=world.oracle_rates).rows, arrival
    )


@pytest.mark.parametrize("seed", range(30))
def test_every_single_crash_point_gives_the_same_rows(seed: int) -> None:
    world = random_world(seed, most_stories=4).arriving(seed)
    oracle = recompute(world.records, world.stores, rates=world.oracle_rates).rows
    records = list(world.records)
    for point in range(len(records) + 1):
        for committed in (False, True):
            driver = PipelineDriver(world.stores, rates=world.rates)
            driver.pipe(records[:point], chunk=1, commit=committed)
            driver.crash()
            driver.pipe(records[point:], chunk=3)
            assert_equal(driver.rows(), oracle, world)


@pytest.mark.parametrize("seed", range(60))
def test_any_partition_count_gives_the_same_rows(seed: int) -> None:
    world = random_world(seed)
    oracle = recompute(world.records, world.stores, rates=world.oracle_rates).rows
    assert_equal(rows_of(world, seed, partitions=3), oracle, world)
    driver = PipelineDriver(world.stores, rates=world.rates, partitions=2)
    driver.pipe(world.records)
    driver.restart(partitions=5)
    assert_equal(driver.rows(), oracle, world)


@pytest.mark.parametrize("seed", range(40))
def test_records_in_wrong_partitions_are_forwarded_once_and_give_the_same_rows(seed: int) -> None:
    world = random_world(seed)
    oracle = recompute(world.records, world.stores, rates=world.oracle_rates).rows
    chance = random.Random(seed)
    keys = [b"", b"x", b"acme|nobody", None]
    driver = PipelineDriver(world.stores, rates=world.rates, partitions=4)
    misrouted = [
        record._replace(key=chance.choice(keys)) if chance.random() < 0.4 else record
        for record in world.records
    ]
    driver.pipe(misrouted)
    driver.crash()
    assert_equal(driver.rows(), oracle, world)
    ledger = driver.ledger()
    assert ledger["read"] == len(misrouted) + ledger["forwarded"]
    assert ledger["accepted"] + ledger["duplicate"] == len(misrouted)


@pytest.mark.parametrize("seed", range(60))
def test_credits_and_adjustments_of_an_order_add_up_to_the_minor_unit(seed: int) -> None:
    world = random_world(seed, most_stories=25)
    orders = rows_of(world, seed)["orders"].values()
    for order in orders:
        store = world.stores[order.store_id]
        assert sum(order.paid) == order.total - order.shipping - (0 if store.tax_in_lines else order.tax)
        assert set(order.credit) <= {"direct", "assisted", "none"}
        assert sum(order.adjustment_amount) <= order.total
        for line, paid in enumerate(order.paid):
            assert 0 <= sum(lines[line] for lines in order.adjustment_lines) <= paid


@pytest.mark.parametrize("seed", range(60))
def test_every_record_ends_in_exactly_one_bucket(seed: int) -> None:
    world = random_world(seed, poison=True, late=True)
    driver = PipelineDriver(world.stores, rates=world.rates)
    driver.pipe(world.records)
    ledger = driver.ledger()
    assert ledger["read"] == len(world.records)
    assert ledger["read"] == sum(count for bucket, count in ledger.items() if bucket != "read")
    assert len(driver.dead_letters) == ledger["dead_letter"] + ledger["too_late"]


@pytest.mark.parametrize("seed", range(60))
def test_verdicts_and_rows_with_poison_and_late_events_equal_the_oracle(seed: int) -> None:
    world = random_world(seed, poison=True, late=True)
    driver = PipelineDriver(world.stores, rates=world.rates)
    driver.pipe(world.records, chunk=1)
    refused = {}
    for letter in driver.dead_letters:
        headers = {name: value.decode() for name, value in letter.headers}
        origin = headers["dlq_topic"], int(headers["dlq_partition"]), int(headers["dlq_offset"])
        refused[origin] = headers["dlq_reason"], headers["dlq_field"]
    late = [origin for origin, (reason, _) in refused.items() if reason == "too_late"]
    result = recompute(driver.log(), world.stores, rates=world.oracle_rates, too_late=late)
    assert_equal(driver.rows(), result.rows, world)
    for origin, verdict in result.verdicts.items():
        if verdict.bucket == "dead_letter":
            assert refused[origin] == (verdict.reason, verdict.field)
        else:
            assert (origin in refused) == (verdict.bucket == "too_late")
