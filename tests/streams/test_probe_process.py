"""The probe as a process beside a real worker: right when that hangs, honest when the broker is away."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.local import launch
from deploy.local.ports import free_port
from streams.health import Endpoint, read_endpoint
from streams.probe import run_probe
from streams.settings import Settings
from streams.topics import create_topics
from tests.kafka.toy_kit import toy_shop

pytestmark = pytest.mark.kafka

SECONDS = "kafka_consumergroup_group_max_lag_seconds"
RECORDS = "kafka_consumergroup_lag_sum"
PATIENCE = 60.0


async def scrape(endpoint: Endpoint, group: str) -> dict[str, float]:
    """Name -> the largest value of the group's series."""
    async with aiohttp.ClientSession() as session, session.get(f"{endpoint.url}/metrics") as answer:
        text = await answer.text()
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if group in (sample.labels.get("group"), sample.labels.get("consumergroup")):
                found[sample.name] = max(sample.value, found.get(sample.name, sample.value))
    return found


async def until(
    endpoint: Endpoint, group: str, holds: Callable[[dict[str, float]], bool]
) -> dict[str, float]:
    """Scrape until it holds; AssertionError with the last scrape when time is over."""
    deadline = time.monotonic() + PATIENCE
    while not holds(found := await scrape(endpoint, group)):
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.1)
    return found


@asynccontextmanager
async def probe_process(settings: Settings) -> AsyncIterator[tuple[asyncio.subprocess.Process, Endpoint]]:
    """`shopmeter probe`; it has ended after the block."""
    environment = {
        **os.environ,
        "SHOPMETER_APPLICATION": settings.application,
        "SHOPMETER_TOPIC_PREFIX": settings.topic_prefix,
        "SHOPMETER_PARTITIONS": str(settings.partitions),
        "SHOPMETER_DATA_DIR": str(settings.data_dir),
        "SHOPMETER_KAFKA__BOOTSTRAP": settings.kafka.bootstrap,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, launch.__file__, str(os.getpid()), sys.executable, "-m", "deploy.cli", "probe",
        env=environment,
    )  # fmt: skip
    try:
        yield process, await listening(settings.data_dir)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def listening(data_dir: Path) -> Endpoint:
    """The probe's endpoint, as soon as its run file is there."""
    async with asyncio.timeout(PATIENCE):
        while (endpoint := read_endpoint(data_dir, "probe")) is None:
            await asyncio.sleep(0.05)
    return endpoint


async def test_lag_rises_while_a_worker_hangs_and_is_0_when_it_goes_on(kafka: str, tmp_path: Path) -> None:
    # A session longer than the stop: the worker may live on afterwards.
    async with toy_shop(kafka, tmp_path, partitions=2, session_timeout_ms=60_000) as shop:
        settings = shop.toy.settings()
        await create_topics(settings)
        group = settings.application
        worker = await shop.worker()
        await worker.saw("processing partitions")
        await shop.produce(200)
        async with probe_process(settings) as (probe, endpoint):
            await shop.exact()
            found = await until(endpoint, group, lambda now: now.get(SECONDS) == 0)
            assert found[RECORDS] == 0

            worker.process.send_signal(signal.SIGSTOP)
            await shop.produce(300, seed=1)
            found = await until(endpoint, group, lambda now: now[SECONDS] > 3)
            assert found[RECORDS] == 50  # 300 over six topics
            # It goes on rising although nobody tells it anything.
            await until(endpoint, group, lambda now: now[SECONDS] > found[SECONDS] + 1)

            worker.process.send_signal(signal.SIGCONT)
            found = await until(endpoint, group, lambda now: now[SECONDS] == 0)
            assert found[RECORDS] == 0
            await shop.exact()

            probe.terminate()
            assert await asyncio.wait_for(probe.wait(), PATIENCE) == 0
        assert read_endpoint(settings.data_dir, "probe") is None
        assert await worker.stop() == 0


async def test_a_probe_without_a_broker_serves_no_lag_and_says_why(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, kafka={"bootstrap": f"127.0.0.1:{free_port()}"})  # type: ignore[arg-type]
    stop = asyncio.Event()
    probe = asyncio.create_task(run_probe(settings, interval_s=0.1, stop=stop))
    try:
        endpoint = await listening(tmp_path)
        async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE):
            while True:
                async with session.get(f"{endpoint.url}/ready") as answer:
                    assert answer.status == 503
                    reason = (await answer.json())["reason"]
                if reason.startswith(settings.kafka.bootstrap):
                    break
                await asyncio.sleep(0.05)
        assert await scrape(endpoint, settings.application) == {}
    finally:
        stop.set()
        await probe
    assert read_endpoint(tmp_path, "probe") is None
