"""From Kafka through worker and sink into ClickHouse: what is seen equals a recomputation of what was sent, cell by cell."""

import time
from pathlib import Path

import msgspec
import pytest

from deploy.simulator.history import history, new_truth
from deploy.simulator.scenario import Rates, Scenario, StoreSpec
from deploy.simulator.wire import SimRecord
from tests.fixtures.clickhouse import ClickHouseEndpoint
from tests.golden.all_cases import CASES
from tests.golden.case import check
from tests.kafka.campaign.verdict import differences, summary
from tests.kafka.pipeline_kit import installation

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

HOUR_MS = 3_600_000
SHOPS = (
    StoreSpec(store_id="acme", people=60, products=40, other_currencies=("USD",)),
    StoreSpec(store_id="sakura", zone="Asia/Tokyo", currency="JPY", people=40, products=40),
    StoreSpec(store_id="souk.kw", zone="Asia/Kuwait", currency="KWD", people=30, products=30, tax_percent=8),
)
# Hours late at most 12: twelve hours of the allowed lateness stay for whatever else holds a record up.
RATES = Rates(
    duplicates=0.05,
    disorder=0.10,
    late=0.01,
    late_bound_ms=12 * HOUR_MS,
    poison=0.01,
    test_traffic=0.01,
    misrouted=0.02,
)


def small_history(
    *, seed: int = 1, rates: Rates = RATES, days: float = 5
) -> tuple[Scenario, list[SimRecord]]:
    """A few thousand records up to now, of several shops, with everything going wrong at once."""
    now_ms = time.time_ns() // 1_000_000
    scenario = Scenario.ending(now_ms, days=days, seed=seed, stores=SHOPS, rates=rates)
    habits = msgspec.structs.replace(scenario.habits, visits_per_week=3.0)
    scenario = msgspec.structs.replace(scenario, habits=habits)
    return scenario, list(history(scenario, new_truth(scenario), stamped_at_ms=now_ms))


async def test_a_straight_run_equals_the_oracle(
    kafka: str, clickhouse: ClickHouseEndpoint, tmp_path: Path
) -> None:
    scenario, records = small_history()
    async with installation(kafka, clickhouse.url, tmp_path, scenario.settings()) as shop:
        worker, sink = await shop.worker(), await shop.sink()
        await shop.load(records).run()
        visible = await shop.exact()
        counted = summary(visible)
        # Nothing is exact by being empty.
        for name in (
            "sessions",
            "exposures",
            "orders",
            "duplicate",
            "test_traffic",
            "dead_letter",
            "forwarded",
        ):
            assert counted[name] > 20, counted
        assert counted["read"] == len(records) + counted["forwarded"]
        assert len(visible.watermarks) == shop.settings.partitions
        assert await worker.leave() == 0
        assert await sink.leave() == 0
        # The comparison can fail: one event less, and it says so.
        sources = await shop.sources()
        assert differences(sources[:-1], shop.stores, visible)


async def test_golden_cases_hold_on_the_real_parts_with_everything_sent_twice(
    kafka: str, clickhouse: ClickHouseEndpoint, tmp_path: Path
) -> None:
    """One installation for all cases: each has a store of its own. A kill of worker and sink lies in between."""
    now_ms = time.time_ns() // 1_000_000
    stores, events = {}, []
    for number, case in enumerate(CASES):
        stores[f"case{number}"] = case.stores["acme"]
        events += [(event, f"case{number}") for event in case.events]
    # By event time over all cases, so that none comes too late.
    events.sort(key=lambda pair: pair[0].timestamp_ms)
    records = []
    for event, store_id in events:
        assert isinstance(event.value, dict)
        placed = event._replace(value={**event.value, "store_id": store_id})
        assert placed.key is not None
        assert placed.body is not None
        # Under today's record time: the broker deletes records of last year at its next look.
        records += [SimRecord(event.topic, placed.key, placed.body, now_ms)] * 2
    half = len(records) // 2
    async with installation(kafka, clickhouse.url, tmp_path, stores) as shop:
        load = shop.load(records)
        await load.run(limit=half)
        worker, sink = await shop.worker(), await shop.sink()
        await worker.works()
        worker.kill()
        sink.kill()
        await load.run()
        visible = await shop.exact()
    for number, case in enumerate(CASES):
        store_id = f"case{number}"
        rows = {
            table: {
                ("acme", *key[1:]): msgspec.structs.replace(row, store_id="acme")
                for key, row in found.items()
                if key[0] == store_id
            }
            for table, found in visible.rows.items()
        }
        check(case, rows)
