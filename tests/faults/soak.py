"""A long run at an even rate with a random fault every few minutes: exact, memory flat, disk bounded."""

import asyncio
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import linear_regression

from tests.faults.matrix import case
from tests.faults.proxy import Wire
from tests.faults.servers import BROKER_KILLS
from tests.faults.shim import Answer
from tests.faults.stage import Outcome, Play, Stage, resident_mb, under_load

RATE = 3_000.0
EVERY_SECONDS = 300.0
SAMPLE_SECONDS = 10.0


async def kill_worker(play: Play) -> None:
    play.worker.kill()


async def kill_sink(play: Play) -> None:
    play.sink.kill()


async def broker_restarts(play: Play) -> None:
    play.stage.signal_broker(play.chance.choice(BROKER_KILLS))
    await play.stage.broker_returns()


async def network_dies(play: Play) -> None:
    play.stage.wire.set(play.chance.choice((Wire.HELD, Wire.NO_ANSWERS)))
    await play.pause(1.0, 12.0)
    play.stage.wire.set(Wire.WHOLE)


async def connections_are_cut(play: Play) -> None:
    play.stage.wire.cut()


async def warehouse_is_away(play: Play) -> None:
    play.stage.house.answer(play.chance.choice((Answer.AWAY, Answer.HANG, Answer.APPLIED_CUT)))
    await play.pause(5.0, 30.0)
    play.stage.house.answer(Answer.TRUE)


async def second_worker(play: Play) -> None:
    member = await play.shop.worker("1")
    await play.pause(10.0, 40.0)
    await member.leave(kill=play.chance.random() < 0.5)


NEMESIS = (
    kill_worker, kill_sink, broker_restarts, network_dies, connections_are_cut, warehouse_is_away, second_worker,
)  # fmt: skip


@case("F24 a soak", "memory slope about 0, disk bounded; a random fault every five minutes", short=1, long=12)
async def soak(stage: Stage, times: int) -> Outcome:
    async def fault(play: Play) -> None:
        samples: list[tuple[float, float, float]] = []
        sampling = asyncio.create_task(sample(play, samples))
        for _ in range(times):
            await asyncio.sleep(EVERY_SECONDS)
            began = time.monotonic()
            await play.chance.choice(NEMESIS)(play)
            await play.works_again(max(began, time.monotonic() - 1.0))
        sampling.cancel()
        # The first fifth is spent filling the caches.
        play.figures |= flatness(samples[len(samples) // 5 :])

    return await under_load(stage, times, fault, rate=RATE)


async def sample(play: Play, samples: list[tuple[float, float, float]]) -> None:
    """(hours, worker's MB, state's MB), every few seconds until cancelled."""
    began = time.monotonic()
    while True:
        hours = (time.monotonic() - began) / 3600
        samples.append((hours, resident_mb([play.worker]), size_mb(play.stage.directory / "shop" / "state")))
        await asyncio.sleep(SAMPLE_SECONDS)


def flatness(samples: Sequence[tuple[float, float, float]]) -> dict[str, float]:
    """Growth per hour within the worker's lives (a new one begins small), the most memory, the state on disk."""
    rises = [
        (later[0] - earlier[0], later[1] - earlier[1])
        for earlier, later in pairwise(samples)
        if later[1] > 0.7 * earlier[1] > 0
    ]
    grown = linear_regression(*zip(*cumulated(rises), strict=True)).slope if len(rises) > 2 else 0.0
    return {
        "memory_slope_mb_per_h": round(grown, 1),
        "memory_most_mb": max((memory for _, memory, _ in samples), default=0.0),
        "state_mb": samples[-1][2] if samples else 0.0,
    }


def cumulated(rises: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Running sums."""
    hours = megabytes = 0.0
    points = []
    for more_hours, more_megabytes in rises:
        hours += more_hours
        megabytes += more_megabytes
        points.append((hours, megabytes))
    return points


def size_mb(directory: Path) -> float:
    """Of all files below; what goes while we look counts nothing."""
    total = 0
    for file in directory.rglob("*"):
        try:
            total += file.stat().st_size
        except FileNotFoundError:
            continue
    return round(total / 1_048_576, 1)
