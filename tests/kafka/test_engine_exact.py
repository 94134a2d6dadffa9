"""Every event counted exactly once, whatever happens to the worker: on a real broker, with real processes."""

import asyncio
import random
from pathlib import Path

import pytest

from tests.kafka.toy_kit import toy_shop

pytestmark = pytest.mark.kafka


async def test_a_straight_run_counts_every_event_and_stops_with_zero(kafka: str, tmp_path: Path) -> None:
    async with toy_shop(kafka, tmp_path) as shop:
        await shop.produce(20_000)
        worker = await shop.worker()
        await worker.saw("toy: ready True")
        await shop.exact()
        await shop.produce(500, seed=1)
        # What is processed and not yet committed is committed on the way out, within the bound.
        assert await worker.stop(seconds=10) == 0
        again = await shop.worker()
        await again.saw("toy: ready True")
        await shop.exact()
        # The second start went on from the first one's position: it restored, it did not read from the beginning.
        assert await again.stop() == 0
        await shop.exact()


async def test_kill_9_at_random_moments_loses_and_doubles_nothing(kafka: str, tmp_path: Path) -> None:
    chance = random.Random(7)
    async with toy_shop(kafka, tmp_path, epoch_interval_ms=100) as shop:
        for round_ in range(6):
            worker = await shop.worker()
            load = asyncio.create_task(shop.produce(10_000, keys=400, seed=round_, per_second=4_000))
            await worker.saw("toy: first chunk")
            await asyncio.sleep(chance.uniform(0.0, 1.5))  # a random moment is the point of this test
            await worker.kill()
            await load
        last = await shop.worker()
        await last.saw("toy: ready True")
        await shop.exact()
        assert await last.stop() == 0
        await shop.exact()


async def test_a_restart_on_an_empty_disk_restores_everything(kafka: str, tmp_path: Path) -> None:
    async with toy_shop(kafka, tmp_path) as shop:
        await shop.produce(8_000, keys=2_000)
        worker = await shop.worker()
        await shop.exact()
        await worker.kill()
        keys = len(shop.expected)
        await shop.produce(8_000, keys=2_000, seed=2)
        other = await shop.worker(state_dir=str(tmp_path / "elsewhere"))
        await other.saw("toy: ready True")
        await shop.exact()
        restored = [int(line.split()[3]) for line in other.lines if line.startswith("toy: restored")]
        assert sum(restored) >= keys
        assert await other.stop() == 0
        await shop.exact()


async def test_a_second_worker_joins_and_leaves_under_load(kafka: str, tmp_path: Path) -> None:
    async with toy_shop(
        kafka, tmp_path, epoch_interval_ms=100, session_timeout_ms=6_000, heartbeat_ms=500
    ) as shop:
        over = asyncio.Event()
        load = asyncio.create_task(shop.produce(500_000, keys=400, per_second=1_500, enough=over.is_set))
        first = await shop.worker("0")
        await first.saw("toy: ready True")
        second = await shop.worker("1")
        await second.saw("toy: first chunk", seconds=90)
        await second.kill()
        # The ghost's session must end before the first worker gets its partitions back.
        await first.saw("toy: ready True", times=3, seconds=90)
        second = await shop.worker("1")
        await second.saw("toy: first chunk", seconds=90)
        assert await second.stop() == 0
        over.set()
        await load
        await shop.exact(seconds=90)
        assert await first.stop() == 0
        await shop.exact()
