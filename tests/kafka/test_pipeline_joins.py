"""Workers join, leave and lose their disk: what is seen in the end equals a recomputation of what was sent.

Kills, zombies, bugs and the broker's death are played by `tests/faults`.
"""

import asyncio
from pathlib import Path

import pytest

from tests.fixtures.clickhouse import ClickHouseEndpoint
from tests.kafka.campaign.shops import small_history
from tests.kafka.campaign.verdict import summary
from tests.kafka.pipeline_kit import installation

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

RATE = 300.0
# A history of this many visits a week has some 70,000 records, made as they are sent: more than any of these tests needs.
VISITS = 250


async def test_a_second_worker_joins_and_leaves_under_load_and_an_empty_disk_does_not_matter(
    kafka: str, clickhouse: ClickHouseEndpoint, tmp_path: Path
) -> None:
    history = small_history(seed=3, visits=VISITS)
    everything = frozenset(range(4))
    async with installation(kafka, clickhouse.url, tmp_path, history.scenario.settings()) as shop:
        first, _ = await shop.worker("0"), await shop.sink()
        load, over = shop.load(history.records), asyncio.Event()
        loading = asyncio.create_task(load.run(rate=RATE, enough=over.is_set))
        await first.works()
        second = await shop.worker("1")
        await second.works()
        await first.works_on(everything - second.has())
        assert await second.leave() == 0
        # Its slot is kept for the length of a session; then the first takes over.
        await first.works_on(everything)
        assert not loading.done(), "this was to happen while records flow"
        over.set()
        await loading
        assert await first.leave() == 0
        # Under the same name on an empty disk: the changelog has everything.
        await load.run(limit=500)
        await shop.worker("0", SHOPMETER_WORKER__STATE_DIR=str(tmp_path / "elsewhere"))
        visible = await shop.exact()
        assert summary(visible)["forwarded"] > 20
        assert not any(member.unasked for member in shop.members.values())
