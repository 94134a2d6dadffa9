"""Everything wrong ends the process with one clear line, before any commit; what is late or idle is judged rightly."""

import asyncio
import time
from pathlib import Path

import pytest

from streams.engine.fatal import EXIT_FATAL
from streams.worker import EXIT_CONFIG
from tests.kafka.toy_kit import toy_shop
from tests.kafka.toy_worker import POISON

pytestmark = pytest.mark.kafka

HOUR_MS = 3_600_000


async def test_an_exception_of_the_processor_ends_the_process_and_nothing_is_committed_past_it(
    kafka: str, tmp_path: Path
) -> None:
    async with toy_shop(kafka, tmp_path, partitions=1) as shop:
        await shop.produce(1_000, topics=("cart",), keys=5)
        worker = await shop.worker()
        await worker.saw("toy: ready True")
        await shop.exact()
        await shop.produce(100, topics=("cart",), keys=5, seed=1)
        await shop.send("cart", POISON, key=b"p0-0")
        assert await worker.ended() == EXIT_FATAL
        fatal = [line for line in worker.lines if "fatal:" in line]
        assert len(fatal) == 1
        assert "cart/0" in fatal[0]
        assert "poison at offset 1100" in fatal[0]
        assert (await shop.committed())[f"{shop.toy.prefix}cart", 0] <= 1_100
        # And again: it does not skip what it could not process.
        again = await shop.worker()
        assert await again.ended() == EXIT_FATAL
        assert (await shop.committed())[f"{shop.toy.prefix}cart", 0] <= 1_100


async def test_a_worker_in_a_slot_that_is_taken_is_fenced_and_the_newer_one_goes_on(
    kafka: str, tmp_path: Path
) -> None:
    async with toy_shop(kafka, tmp_path, commit_timeout_ms=4_000) as shop:
        await shop.produce(1_000)
        older = await shop.worker("0", state_dir=str(tmp_path / "a"))
        await older.saw("toy: ready True")
        newer = await shop.worker("0", state_dir=str(tmp_path / "b"))
        await newer.saw("toy: ready True")
        await shop.produce(1_000, seed=1)
        # The producers of the newer one have fenced the older one: its next commit can't succeed.
        assert await older.ended(30) == EXIT_FATAL
        await shop.exact()
        assert await newer.stop() == 0


async def test_a_topic_with_nothing_new_becomes_idle_and_a_live_one_is_not(
    kafka: str, tmp_path: Path
) -> None:
    async with toy_shop(kafka, tmp_path, partitions=1, idle_after_ms=800) as shop:
        worker = await shop.worker()
        await worker.saw("toy: ready True")
        topic = shop.toy.prefix + "dead-letter"

        async def told(idle: bytes) -> None:
            deadline = time.monotonic() + 30
            while not (letters := await shop.read(topic)) or letters[-1].value != idle:
                assert time.monotonic() < deadline, [letter.value for letter in letters]
                await asyncio.sleep(0.1)

        await told(b"cart,click,definition,forwarded,impression,journey-node,order,session")
        load = asyncio.create_task(shop.produce(6_000, topics=("session", "click"), per_second=600))
        await told(b"cart,definition,forwarded,impression,journey-node,order")
        await load
        await told(b"cart,click,definition,forwarded,impression,journey-node,order,session")
        assert await worker.stop() == 0


async def test_while_catching_up_a_topic_does_not_run_hours_ahead_of_another(
    kafka: str, tmp_path: Path
) -> None:
    async with toy_shop(
        kafka, tmp_path, partitions=1, alignment_ms=HOUR_MS, chunk_max_records=100, idle_after_ms=1_000
    ) as shop:
        start = int(time.time() * 1000) - 48 * HOUR_MS
        # Orders: 20 an hour. Impressions: 200 an hour. Both over the same 40 hours.
        await shop.produce(800, topics=("order",), start_ms=start, step_ms=HOUR_MS // 20)
        await shop.produce(8_000, topics=("impression",), start_ms=start, step_ms=HOUR_MS // 200, seed=1)
        worker = await shop.worker(chunk_sleep=0.005)
        await shop.exact()
        spread = [float(line.split()[-1]) for line in worker.lines if line.startswith("toy: spread_hours")]
        # A chunk of 100 orders is 5 hours; with the hour of alignment a topic is never further ahead than that.
        assert spread
        assert max(spread) <= 6.5
        assert worker.seen("toy: aligned 0 1") > 3
        assert await worker.stop() == 0


async def test_a_changelog_without_a_meta_record_is_no_state_to_go_on_from(
    kafka: str, tmp_path: Path
) -> None:
    async with toy_shop(kafka, tmp_path, partitions=1) as shop:
        await shop.produce(10)
        changelog = shop.toy.topics().changelog
        await shop.send_raw(changelog, b"\x01\x00\x00v", key=b"k")
        worker = await shop.worker()
        assert await worker.ended() == EXIT_FATAL
        assert any(
            f"{changelog}/0: 1 records were read without a meta record" in line for line in worker.lines
        )
        assert await shop.committed() == {}


async def test_an_aborted_first_epoch_leaves_a_changelog_that_one_can_start_on(
    kafka: str, tmp_path: Path
) -> None:
    async with toy_shop(kafka, tmp_path, partitions=1) as shop:
        await shop.produce(10)
        await shop.abort(shop.toy.topics().changelog)
        worker = await shop.worker()
        await worker.saw("toy: ready True")
        await shop.exact()
        assert await worker.stop() == 0


async def test_a_worker_refuses_topics_that_are_not_there_with_a_line_for_each(
    kafka: str, tmp_path: Path
) -> None:
    async with toy_shop(kafka, tmp_path, partitions=1) as shop:
        worker = await shop.worker(prefix="nowhere.")
        assert await worker.ended() == EXIT_CONFIG
        assert any("topics:" in line and "nowhere.cart" in line for line in worker.lines)
