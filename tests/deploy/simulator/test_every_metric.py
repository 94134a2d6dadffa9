"""The simulated shop has something to show for every metric: no tile of a demo is empty for want of events."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from dashboard.asking import Ask, Report
from dashboard.periods import Period
from dashboard.report import report
from deploy.simulator import Scenario, StoreSpec, definitions, history, new_truth
from schemas.metrics import METRICS
from schemas.tables import TABLES
from sinks.clickhouse import Address
from sinks.migrate import migrate
from tests.deploy.simulator.stories import END_MS, STAMP_MS
from tests.driver import PipelineDriver
from tests.fixtures.clickhouse import ClickHouseEndpoint
from tests.oracle.records import RawRecord
from tests.sinks.reading import Warehouse

# Over a month's end, as the demo is, with enough people for quintiles; sixty days would only take longer.
SHOP = Scenario.ending(END_MS, days=20, stores=(StoreSpec(store_id="acme", people=250),))
BLOCK = 2_000


@pytest.fixture
async def reader(clickhouse: ClickHouseEndpoint) -> AsyncIterator[Any]:
    """A reader's client on a database with the shop's story in it."""
    truth = new_truth(SHOP)
    driver = PipelineDriver(SHOP.settings(), now_ms=END_MS)
    records = [
        RawRecord(one.topic, 0, 0, one.timestamp_ms, one.key, one.value)
        for source in (definitions, history)
        for one in source(SHOP, truth, stamped_at_ms=STAMP_MS)
    ]
    for start in range(0, len(records), BLOCK):
        driver.pipe(records[start : start + BLOCK], chunk=BLOCK)
    driver.advance_to(END_MS + 1)
    driver.commit()
    address = Address(clickhouse.url, f"test_{uuid4().hex[:12]}")
    migrate(address, SHOP.settings())
    client = clickhouse.client(address.database)
    rows = [row for table in TABLES for row in _latest(driver.written(table), TABLES[table].key)]
    await Warehouse(address, client).fill(*rows)
    asking: Any = await clickhouse.async_client(address.database, reader=True)
    try:
        yield asking
    finally:
        await asking.close()
        client.command(f"DROP DATABASE {address.database} SYNC")
        client.close()


def _latest(rows: list[Any], key: tuple[str, ...]) -> list[Any]:
    return list({tuple(getattr(row, name) for name in key): row for row in rows}.values())


def _empty(answer: Report) -> set[str]:
    """Metrics that are 0 or nothing, whatever the currency."""
    return {value.metric for value in answer.values} - {
        value.metric for value in answer.values if value.current
    }


async def test_no_metric_is_empty(reader: Any) -> None:
    answer = await report(reader, Ask(store="acme", period=Period.LAST_14_DAYS))
    assert _empty(answer) == set()
    # Of the conversations: what their own dashboard shows.
    talks = await report(reader, Ask(store="acme", period=Period.LAST_14_DAYS, channel="whatsapp"))
    shown = {value.metric for value in talks.values if 27 <= int(METRICS[value.metric].number[1:]) <= 42}
    assert len(shown) >= 16
    assert _empty(talks) & shown <= {"canceled_orders", "canceled_revenue", "refunded_revenue"}


async def test_the_gauges_are_what_the_shop_has_defined(reader: Any) -> None:
    truth = new_truth(SHOP)
    list(definitions(SHOP, truth, stamped_at_ms=STAMP_MS))
    standing = truth.standing("acme", END_MS)
    gauges = ("active_experiences", "running_ab_tests", "active_journeys")
    answer = await report(reader, Ask(store="acme", metrics=gauges))
    assert [value.current for value in answer.values] == [
        standing["experience active"],
        standing["ab_test running"],
        standing["journey active"],
    ]
