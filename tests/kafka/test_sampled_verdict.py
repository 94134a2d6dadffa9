"""The verdict over more records than can be computed again: silent about what is right, it finds what is planted."""

from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.clickhouse import ClickHouseEndpoint
from tests.kafka.campaign.sampled import Judged, draw, judge_long
from tests.kafka.campaign.shops import many_shops
from tests.kafka.pipeline_kit import Installation, installation

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

EVENTS = 6_000
MOST = 700


def plant(client: Any, table: str, change: str, where: str) -> None:
    """One visible row of these, changed as if the pipeline had written it so."""
    client.command(
        f"INSERT INTO {table} SELECT * REPLACE (version + 1 AS version, {change})"
        f" FROM {table} FINAL WHERE {where} ORDER BY ALL LIMIT 1"
    )


async def test_the_verdict_by_lot_is_told_of_what_is_planted(
    kafka: str, clickhouse: ClickHouseEndpoint, tmp_path: Path
) -> None:
    scenario, records, truth = many_shops(EVENTS, people=300, days=1, seed=3)
    stores = scenario.settings()
    async with installation(kafka, clickhouse.url, tmp_path, stores) as shop:
        await shop.worker()
        await shop.sink()
        sent = await shop.load(records).run()
        await shop.caught_up()
        right = await judged(shop, truth)
        assert right.differences == []
        assert right.records == sent == truth.records
        assert right.counts["read"] == sent + right.counts["forwarded"]
        drawn = right.lot.stores
        assert 1 < len(drawn) < len(stores)
        assert MOST / 2 < right.lot.records < 2 * MOST
        assert min(right.counts[name] for name in ("orders", "links", "dead_letters", "duplicate")) > 1
        client = shop.client()
        among = f"store_id IN {tuple(drawn)}"
        # Of a shop of the lot: what only the oracle knows.
        plant(client, "sessions", "1 - viewed AS viewed", among)
        assert "viewed" in only(await judged(shop, truth))
        # Of another shop: an order that cost another amount.
        plant(client, "orders", "total + 1 AS total", f"NOT {among}")
        assert told(await judged(shop, truth), "order shop-") == 1
        # A record that was read twice and counted twice: its hour, its topic and the accepted ones are one too many.
        plant(client, "ledger", "read + 1 AS read, accepted + 1 AS accepted", "topic = 'cart'")
        assert told(await judged(shop, truth), "ledger") == 4
        # A dead letter of any shop with another byte.
        plant(client, "dead_letters", "concat(value, '!') AS value", "1")
        found = await judged(shop, truth)
        assert told(found, "dead letter") == 1
        assert len(found.differences) == 1 + 1 + 4 + 1
        client.close()


async def judged(shop: Installation, truth: Any) -> Judged:
    """By one lot."""
    return await judge_long(shop.settings, shop.stores, truth, seed=5, most=MOST)


def only(judged: Judged) -> str:
    """The one difference."""
    (difference,) = judged.differences
    return difference


def told(judged: Judged, begin: str) -> int:
    """How many differences begin so."""
    return sum(difference.startswith(begin) for difference in judged.differences)


def test_every_shop_that_is_not_too_large_may_be_drawn() -> None:
    _, records, truth = many_shops(EVENTS, people=300, days=1, seed=3)
    assert sum(1 for _ in records) == truth.records
    sizes = {store: sum(kinds.values()) for store, kinds in truth.by_store.items()}
    most = max(sizes.values()) - 1
    lots = [draw(truth, seed, most=most) for seed in range(200)]
    drawn = {store for lot in lots for store in lot.stores}
    assert drawn == {store for store, size in sizes.items() if size <= most} < set(sizes)
    assert all(sum(sizes[store] for store in lot.stores) <= most for lot in lots)
    assert draw(truth, 1, most=1).stores == [min(sizes, key=lambda store: sizes[store])]
