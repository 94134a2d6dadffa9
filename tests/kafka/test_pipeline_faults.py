"""Whatever happens to workers, sinks and the broker, what is seen in the end equals a recomputation of what was sent."""

import asyncio
import random
import signal
import time
from pathlib import Path

import pytest

from deploy.local.kafka import KafkaBroker
from deploy.local.supervisor import Supervisor
from tests.fixtures.clickhouse import ClickHouseEndpoint
from tests.kafka.campaign.killing import kill_often
from tests.kafka.campaign.moving import Moving
from tests.kafka.campaign.shops import small_history
from tests.kafka.campaign.verdict import summary
from tests.kafka.pipeline_kit import installation

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

RATE = 300.0
# A history of this many visits a week has some 70,000 records, made as they are sent: more than any of these tests needs.
VISITS = 250


async def test_kill_9_of_worker_and_sink_at_random_moments_is_exact(
    kafka: str, clickhouse: ClickHouseEndpoint, tmp_path: Path
) -> None:
    history, chance = small_history(seed=2, visits=VISITS), random.Random(2)
    async with installation(kafka, clickhouse.url, tmp_path, history.scenario.settings()) as shop:
        worker, sink = await shop.worker(), await shop.sink()
        load, killed = shop.load(history.records), asyncio.Event()
        loading = asyncio.create_task(load.run(rate=RATE, enough=killed.is_set))
        async with Moving(shop.settings) as moving:
            kills = await asyncio.gather(
                kill_often(worker, 4, chance, load=load, moving=moving, longest_wait=1.0),
                kill_often(sink, 4, random.Random(3), load=load, moving=moving, longest_wait=1.0),
            )
        assert not loading.done(), "the kills were to happen while records flow"
        killed.set()
        await loading
        await shop.exact()
        assert all(any(kill.was_working for kill in found) for found in kills)
        assert worker.exits.count(-signal.SIGKILL) == sink.exits.count(-signal.SIGKILL) == 4
        assert worker.unasked == sink.unasked == []


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


async def test_a_broker_that_is_stopped_and_one_that_is_killed_come_back_to_an_exact_pipeline(
    clickhouse: ClickHouseEndpoint, tmp_path: Path
) -> None:
    history = small_history(seed=4, visits=VISITS)
    broker = KafkaBroker.on(tmp_path / "kafka", port=0)
    service = await asyncio.to_thread(broker.prepare)
    async with Supervisor() as supervisor:
        await supervisor.start(service)
        stores = history.scenario.settings()
        async with installation(broker.bootstrap, clickhouse.url, tmp_path / "shop", stores) as shop:
            worker, sink = await shop.worker(), await shop.sink()
            load, over = shop.load(history.records), asyncio.Event()
            loading = asyncio.create_task(load.run(rate=RATE, enough=over.is_set))
            await worker.works()
            await sink.works()
            for number in (signal.SIGTERM, signal.SIGKILL):
                before = load.acknowledged
                supervisor.kill(service.name, number)
                await supervisor.exited(service.name)
                await supervisor.restart(service.name)
                deadline = time.monotonic() + 60
                while load.acknowledged < before + RATE and time.monotonic() < deadline:
                    await asyncio.sleep(0.1)
                assert load.acknowledged >= before + RATE, f"the producer does not go on:\n{shop.logs()}"
            over.set()
            await loading
            await shop.exact()
            # A worker that does not know what became of its epoch ends itself with 70, one that finds no broker with 3;
            # both are brought back.
            assert set(worker.unasked) <= {3, 70}, shop.logs()
