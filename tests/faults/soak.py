"""A long run at an even rate with a random fault every few minutes: exact, memory flat, disk bounded."""

import asyncio
import os
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from statistics import linear_regression
from typing import NamedTuple

import msgspec

from schemas.topics import DAY_MS
from tests.faults.matrix import case
from tests.faults.memory import process_mb, resident_mb
from tests.faults.play import LIFE, Play, under_load
from tests.faults.proxy import Wire
from tests.faults.servers import BROKER_KILLS
from tests.faults.shim import Answer
from tests.faults.stage import Outcome, Stage
from tests.kafka.campaign.kills import spread
from tests.kafka.campaign.shops import DAY_SECONDS

RATE = 3_000.0
EVERY_SECONDS = 300.0
SAMPLE_SECONDS = 15.0
# A life begins with empty caches: what fills them is no growth.
WARM_HOURS = 5 / 60
# What is kept of a history grows until the first of it is forgotten; only then can memory be flat. So the windows are
# short: touches are kept for twice the attribution window and twice the allowed lateness, and two days for whole days.
WINDOW_DAYS = 1
FULL_HOURS = (2 * WINDOW_DAYS + 2 + 2) * DAY_SECONDS / LIFE / 3600
# "About 0": a tenth of what a worker may take.
MOST_MB_PER_HOUR = 60.0
# A run is stopped, not exhausted: faults that take longer than they should must not find it over.
SPARE = 1.5


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
        samples: list[Sample] = []
        sampling = asyncio.create_task(sample(play, samples))
        back: defaultdict[str, list[float]] = defaultdict(list)
        for _ in range(times):
            await asyncio.sleep(EVERY_SECONDS)
            what, since = play.chance.choice(NEMESIS), time.monotonic()
            sys.stderr.write(f"  {time.strftime('%H:%M:%S')} {play.load.sent} sent, {what.__name__}\n")
            with play.going_on(what.__name__):
                await what(play)
                await play.works_again(max(since, time.monotonic() - 1.0))
                back[what.__name__].append(play.back[-1])
        # What is not measured must not look flat.
        if sampling.done():
            sampling.result()
        sampling.cancel()
        for name, seconds in back.items():
            play.figures[f"back_{name}_max_s"] = spread(seconds)["max"]
        found = flatness(samples, since=FULL_HOURS)
        play.figures |= found
        slope = found.get("memory_slope_mb_per_h")
        if slope is not None:
            play.expect(slope <= MOST_MB_PER_HOUR, f"a worker's memory grew by {slope} MB an hour")
        elif times * EVERY_SECONDS / 3600 > FULL_HOURS + 2 * WARM_HOURS:
            play.expect(False, "no life of a worker was long enough to tell whether its memory grows")

    return await under_load(
        stage, times, fault, rate=RATE, long=times * EVERY_SECONDS * SPARE, window_ms=WINDOW_DAYS * DAY_MS
    )


class Sample(NamedTuple):
    """Hours since the begin; resident memory by process and what lies on the disk, in MB; records that were sent."""

    hours: float
    sent: int
    worker: float
    sink: float = 0.0
    broker: float = 0.0
    house: float = 0.0
    state_disk: float = 0.0
    broker_disk: float = 0.0
    house_disk: float = 0.0


async def sample(play: Play, samples: list[Sample]) -> None:
    """One every few seconds until cancelled, also into `samples.jsonl` beside the data."""
    stage, began = play.stage, time.monotonic()
    disks = [stage.directory / name for name in ("shop/state", "kafka", "house")]
    with (stage.directory / "samples.jsonl").open("wb") as file:
        while True:
            sizes = await asyncio.to_thread(lambda: [size_mb(disk) for disk in disks])
            one = Sample(
                round((time.monotonic() - began) / 3600, 4),
                play.load.acknowledged,
                resident_mb([play.worker]),
                resident_mb([play.sink]),
                stage.broker_mb(),
                process_mb(stage.endpoint.process.pid),
                *sizes,
            )
            samples.append(one)
            file.write(msgspec.json.encode(one._asdict()) + b"\n")
            file.flush()
            await asyncio.sleep(SAMPLE_SECONDS)


def flatness(samples: Sequence[Sample], *, since: float = 0.0) -> dict[str, float]:
    """Growth per hour within the worker's lives, each from when its caches are warm; and the most of each.

    `since`: hours; what is before is not looked at for growth. No growth is told of a run whose lives were too short.
    """
    rises: list[tuple[float, float]] = []
    born = samples[0].hours if samples else 0.0
    for earlier, later in pairwise(samples):
        if later.worker <= 0.7 * earlier.worker:
            born = later.hours
        elif earlier.hours >= max(since, born + WARM_HOURS):
            rises.append((later.hours - earlier.hours, later.worker - earlier.worker))
    most = {
        f"{name}_most_mb": max((getattr(one, name) for one in samples), default=0.0)
        for name in Sample._fields[2:]
    }
    if len(rises) < 3:
        return most
    return {
        "memory_slope_mb_per_h": round(linear_regression(*zip(*cumulated(rises), strict=True)).slope, 1),
        **most,
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
    for folder, _, names in os.walk(directory):
        for name in names:
            with suppress(FileNotFoundError):
                total += os.stat(os.path.join(folder, name)).st_size
    return round(total / 1_048_576, 1)
