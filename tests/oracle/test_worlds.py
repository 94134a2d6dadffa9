"""Worlds keep their promises, and what must hold of any rows holds of the oracle's."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from schemas.rows import CounterRow, OrderRow, SessionRow
from tests.oracle.events import read_event
from tests.oracle.recompute import recompute
from tests.oracle.records import Rows, fold_rows
from tests.worlds import World, compare, random_world, worlds

SEEDS = range(150)


@pytest.mark.parametrize("shared_orders", [False, True])
def test_nothing_comes_too_late_in_any_order_and_every_order_gives_the_same_rows(shared_orders: bool) -> None:
    for seed in SEEDS:
        world = random_world(seed, shared_orders=shared_orders)
        straight = recompute(world.records, world.stores, rates=world.oracle_rates)
        for other in (world, world.arriving(seed), world.arriving(seed + 1, partitions=3)):
            assert_in_time(other)
            again = recompute(other.records, other.stores, rates=other.oracle_rates)
            assert compare(straight.rows, again.rows) == [], seed
            assert {verdict.bucket for verdict in again.verdicts.values()} <= {"accepted", "duplicate"}


def assert_in_time(world: World) -> None:
    """No event is older than the newest one before it by more than the allowed lateness, in all its store's topics."""
    newest = 0
    for record in world.records:
        at = read_event(record.topic, record.value, record.timestamp_ms, world.stores).at
        lateness = min(store.allowed_lateness_ms for store in world.stores.values())
        assert at >= newest - lateness, f"{record} comes {newest - at - lateness} ms too late in {world!r}"
        newest = max(newest, at)


def test_late_worlds_have_something_late_and_poisoned_ones_something_refused() -> None:
    late, buckets = 0, set()
    for seed in SEEDS:
        try:
            assert_in_time(random_world(seed, late=True))
        except AssertionError:
            late += 1
        world = random_world(seed, poison=True)
        verdicts = recompute(world.records, world.stores, rates=world.oracle_rates).verdicts
        assert len(verdicts) == len(world.records)
        buckets |= {(verdict.bucket, verdict.reason) for verdict in verdicts.values()}
    assert late > len(SEEDS) // 10
    assert {reason for bucket, reason in buckets if bucket == "dead_letter"} >= {
        *("malformed_json", "not_an_object", "unknown_store", "unknown_type", "unknown_version"),
        *("missing_field", "wrong_type", "invalid_time", "in_future"),
    }
    assert ("test_traffic", "") in buckets


def test_a_seed_is_a_world() -> None:
    assert random_world(7) == random_world(7)
    assert repr(random_world(7)) != repr(random_world(8))


def test_worlds_are_nasty_enough() -> None:
    """Every kind of credit, touch and adjustment comes up, or the properties would prove little."""
    seen: set[str] = set()
    for seed in SEEDS:
        world = random_world(seed)
        rows = recompute(world.records, world.stores, rates=world.oracle_rates).rows
        row: OrderRow
        for row in rows["orders"].values():
            seen |= {*row.credit, *row.touch_kind, *row.adjustment, row.session_key[:2], row.currency}
            seen |= {f"{row.currency} in {row.reporting_currency}: {row.reported}"}
            seen |= (
                {"odd steps"} if any(sum(lines) for lines in row.reporting_adjustment_lines[1:]) else set()
            )
            seen |= {"converted"} if len({*row.exposed_session}) > 1 else set()
            seen |= {"exposure only"} if any(row.exposure_only) else set()
            seen |= {"over-refund"} if 0 in row.adjustment_amount else set()
            seen |= {"early refund"} if any(at < row.captured_at for at in row.adjusted_at) else set()
        session: SessionRow
        for session in rows["sessions"].values():
            seen |= {"viewed"} if session.viewed else set()
            seen |= {"silent"} if not session.present else set()
    assert seen >= {
        *("direct", "assisted", "none", "shown", "added", "clicked", "detail_viewed", "refund", "cancel"),
        *("", "s:", "g:", "EUR", "JPY", "KWD", "exposure only", "over-refund", "early refund"),
        *("viewed", "converted", "silent"),
        *("JPY in EUR: 1", "JPY in EUR: 0", "KWD in JPY: 1", "EUR in EUR: 1", "EUR in : 0", "odd steps"),
    }


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(worlds(most_stories=8))
def test_the_laws_of_rows(world: World) -> None:
    assert_in_time(world)
    result = recompute(world.records, world.stores, rates=world.oracle_rates)
    accepted = sum(verdict.bucket == "accepted" for verdict in result.verdicts.values())
    for order in result.rows["orders"].values():
        assert_order_adds_up(order, tax_in_lines=world.stores[order.store_id].tax_in_lines)
    assert_counted(result.rows, accepted)
    exposed = {key[:3] for key in result.rows["exposures"]}
    assert exposed == {key for key, row in result.rows["sessions"].items() if row.impressions}


def assert_order_adds_up(row: OrderRow, *, tax_in_lines: bool) -> None:
    assert sum(row.paid) == row.total - row.shipping - (0 if tax_in_lines else row.tax)
    assert min(row.paid) >= 0
    assert sum(row.adjustment_amount) <= row.total
    for index, paid in enumerate(row.paid):
        taken = [lines[index] for lines in row.adjustment_lines]
        assert min(taken, default=0) >= 0
        assert sum(taken) <= paid
    if "cancel" in row.adjustment:
        assert sum(row.adjustment_amount) == row.total
        assert sum(sum(lines) for lines in row.adjustment_lines) == sum(row.paid)
    assert_reported_adds_up(row)
    # H74: an interaction leaves no line without credit, and the add of a direct line is one.
    assert row.has_interaction == int("none" not in row.credit)


def assert_reported_adds_up(row: OrderRow) -> None:
    assert 0 <= sum(row.reporting_paid) <= row.reporting_total
    assert min(row.reporting_adjustment_amount, default=0) >= 0
    if sum(row.adjustment_amount) == row.total:
        assert sum(row.reporting_adjustment_amount) == row.reporting_total
    for index, paid in enumerate(row.reporting_paid):
        taken = [lines[index] for lines in row.reporting_adjustment_lines]
        assert min(taken, default=0) >= 0
        assert sum(taken) <= paid
        if sum(lines[index] for lines in row.adjustment_lines) == row.paid[index]:
            assert sum(taken) == paid


def assert_counted(rows: Rows, accepted: int) -> None:
    row: CounterRow
    counted = 0
    for row in rows["counters"].values():
        assert row.window_start % (row.window_seconds * 1000) == 0
        if row.window_seconds == 900:
            values = dict(zip(row.measures, row.values, strict=True))
            counted += sum(values.values()) - values.get("products_shown", 0) - values.get("units_added", 0)
    assert counted == accepted


def test_differences_are_named() -> None:
    world = next(
        world
        for world in map(random_world, range(100))
        if recompute(world.records, world.stores, rates=world.oracle_rates).rows["orders"]
    )
    left, right = (recompute(world.records, world.stores, rates=world.oracle_rates).rows for _ in range(2))
    assert compare(left, right) == []
    key, row = next(iter(right["orders"].items()))
    right["orders"][key] = msgspec.structs.replace(row, total=row.total + 1, version=9, born=3)
    (difference,) = compare(left, right)
    assert str(difference) == f"orders {key}: total is {row.total} on the left, {row.total + 1} on the right"
    del right["orders"][key]
    (difference,) = compare(left, right)
    assert str(difference).startswith(f"orders {key}: only on the left: OrderRow(")


def test_folding_takes_the_highest_version_and_sums_partitions() -> None:
    world = random_world(1)
    rows = recompute(world.records, world.stores, rates=world.oracle_rates).rows
    written: list[tuple[str, msgspec.Struct]] = []
    for table, by_key in rows.items():
        for row in by_key.values():
            if table == "counters":
                half = [value // 2 for value in row.values]
                rest = [value - part for value, part in zip(row.values, half, strict=True)]
                written += [
                    (table, msgspec.structs.replace(row, partition=1, values=half, version=2)),
                    (table, msgspec.structs.replace(row, partition=1, values=rest, version=1)),
                    (table, msgspec.structs.replace(row, partition=5, values=rest, version=1)),
                ]
            else:
                old = msgspec.structs.replace(row, store_date=1, version=1)
                gone = msgspec.structs.replace(row, person="a:nobody", version=8, is_deleted=1)
                written += [(table, msgspec.structs.replace(row, born=600, version=2)), (table, old)]
                written += [(table, gone)] if table != "orders" else []
    assert compare(fold_rows(written), rows) == []
