"""From Kafka through worker and sink into ClickHouse: what is seen equals a recomputation of what was sent."""

import time
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from deploy.simulator.wire import SimRecord
from tests.fixtures.clickhouse import ClickHouseEndpoint
from tests.golden.all_cases import CASES
from tests.golden.case import check
from tests.kafka.campaign.shops import small_history
from tests.kafka.campaign.verdict import differences, summary
from tests.kafka.pipeline_kit import installation

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

LIVE_SECONDS = 60


async def test_a_straight_run_equals_the_oracle(
    kafka: str, clickhouse: ClickHouseEndpoint, tmp_path: Path
) -> None:
    scenario, story, _ = small_history()
    records = list(story)
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
        # Events of guests who logged in have moved, from partition to partition too.
        assert counted["links"] > 20, counted
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
        # The live windows are of events that come within hours of their time; these come a year later.
        expected = {
            table: {key: row for key, row in wanted.items() if table != "counters" or key[1] != LIVE_SECONDS}
            for table, wanted in case.expected.items()
        }
        check(replace(case, expected=expected), rows)
