"""kill -9 of the worker and of the sink at random moments while events flow: nothing lost, nothing doubled."""

import asyncio
import random
import time
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from tests.kafka.campaign.killing import Kill, kill_often
from tests.kafka.campaign.moving import Moving, share
from tests.kafka.campaign.report import Finding, progress, table
from tests.kafka.campaign.shops import DAY_SECONDS, large_history
from tests.kafka.pipeline_kit import installation


class Kills(Struct, kw_only=True):
    """The result. Seconds are wall clock."""

    kills: list[Kill]
    worker_to_commit: dict[str, float]
    worker_to_all: dict[str, float]
    worker_to_work: dict[str, float]
    sink_to_work: dict[str, float]
    """p50, p95, max of the times from `kill -9` on, of the kills whose successor was let live."""
    unasked_exits: dict[str, list[int]]
    finding: Finding


async def run_kills(
    bootstrap: str,
    url: str,
    directory: Path,
    *,
    events: int,
    kills: int,
    rate: float,
    life: float,
    people: int,
    partitions: int,
    seed: int,
) -> Kills:
    """At least `events` records at `rate` a second, and `kills` kills of each, whichever takes longer."""
    # Four times as long as wanted: a busy machine takes longer for the kills than for the events.
    most = 4 * events
    history = large_history(most, people=people, days=most / rate * life / DAY_SECONDS, seed=seed)
    chance = random.Random(seed)
    async with installation(
        bootstrap, url, directory, history.scenario.settings(), partitions=partitions
    ) as shop:
        worker, sink = await shop.worker(), await shop.sink()
        load = shop.load(history.records)
        killed = asyncio.Event()
        loading = asyncio.create_task(
            load.run(rate=rate, enough=lambda: killed.is_set() and load.sent >= events)
        )
        await worker.works()
        # The kills are spread over the whole time that the events take.
        longest = max(2.5, 2 * (events / rate / kills - 6.0))
        async with Moving(shop.settings) as moving:
            telling = asyncio.create_task(
                progress(lambda: f"{load.sent} sent, {worker.starts} worker starts")
            )
            began = time.monotonic()
            of_worker, of_sink = await asyncio.gather(
                kill_often(worker, kills, chance, load=load, moving=moving, longest_wait=longest),
                kill_often(
                    sink, kills, random.Random(seed + 1), load=load, moving=moving, longest_wait=longest
                ),
            )
            during = not loading.done()
            killed.set()
            await loading
            telling.cancel()
        finding = await Finding.of(shop, sent=load.sent, seconds=time.monotonic() - began)
        if not during:
            finding.differences.insert(0, "the events were over before the kills: give more, or a lower rate")
        return Kills(
            kills=[*of_worker, *of_sink],
            worker_to_commit=spread(kill.seconds_to_commit for kill in of_worker),
            worker_to_all=spread(kill.seconds_to_all for kill in of_worker),
            worker_to_work=spread(kill.seconds_to_work for kill in of_worker),
            sink_to_work=spread(kill.seconds_to_work for kill in of_sink),
            unasked_exits={member.name: member.unasked for member in shop.members.values()},
            finding=finding,
        )


def spread(seconds: Iterable[float]) -> dict[str, float]:
    """p50, p95 and max of the times that were measured (0: it was not)."""
    measured = [value for value in seconds if value]
    return {
        "n": len(measured),
        "p50": round(share(measured, 0.5), 2),
        "p95": round(share(measured, 0.95), 2),
        "max": round(max(measured, default=0.0), 2),
    }


def show(result: Kills) -> str:
    """The result as a table."""
    hits = sum(kill.was_working for kill in result.kills)
    times = ("n", "p50", "p95", "max")
    rows = [
        ("worker: kill -9 to partitions", *(result.worker_to_work[name] for name in times)),
        ("worker: kill -9 to first commit", *(result.worker_to_commit[name] for name in times)),
        ("worker: kill -9 to all partitions moved", *(result.worker_to_all[name] for name in times)),
        ("sink: kill -9 to partitions", *(result.sink_to_work[name] for name in times)),
    ]
    head = f"{len(result.kills)} kills, {hits} of them of a process at work; unasked exits {result.unasked_exits}"
    return "\n".join([head, table(("seconds", *times), rows), result.finding.show()])
