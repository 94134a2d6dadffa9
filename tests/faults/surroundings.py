"""What a process stands on: a clock that is wrong and jumps, a full disk, too few descriptors, too little memory."""

import asyncio
import resource
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress

import msgspec
import psutil

from deploy.simulator.wire import SimRecord
from tests.faults.bare import open_bare
from tests.faults.matrix import case
from tests.faults.meddling import inside
from tests.faults.play import Play, under_load
from tests.faults.processes import FATAL
from tests.faults.stage import Outcome, Stage

HOUR_MS = 3_600_000
OFF_MS = (HOUR_MS, -HOUR_MS, 600_000, 0)
"""An hour on, an hour back, ten minutes ahead, right again."""
# Where C++ gets no memory it aborts.
ORDERLY = (0, FATAL, -signal.SIGABRT)
IN_2099_MS = 4_070_908_800_000


@case("F18 the clocks of worker and sink jump and are wrong", "nothing early, nothing lost", short=4, long=12)
async def wrong_clocks(stage: Stage, times: int) -> Outcome:
    file = stage.directory / "off-ms"
    file.write_text("0")

    async def fault(play: Play) -> None:
        for number in range(times):
            file.write_text(str(OFF_MS[number % len(OFF_MS)]))
            began = time.monotonic()
            await play.pause(3.0, 6.0)
            await play.works_again(began + 1.0)
            if number % 3 == 2:  # and a start under a wrong clock
                play.worker.kill()
                await play.works_again(time.monotonic() + 0.5)
        play.expect(play.worker.unasked == [], f"the worker ended by itself: {play.worker.unasked}")

    return await under_load(stage, times, fault, env=inside(clock=str(file)))


@case("F18 events of the year 2099 among the others", "dead letters; no window closes early", short=1, long=3)
async def events_of_2099(stage: Stage, times: int) -> Outcome:
    async with open_bare(stage, change=some_in_2099) as bare:
        await bare.shop.worker()
        await bare.shop.sink()
        await bare.load.run(limit=5_000 * times)
        outcome = await bare.outcome(times)
        dead = outcome.finding.counts["dead_letters"]
        bare.expect(dead >= 100 * times, f"of every 50th record in 2099, {dead} are dead letters")
        bare.expect(outcome.finding.counts["too_late"] == 0, "events were too late because of those in 2099")
        return outcome


def some_in_2099(records: Iterator[SimRecord]) -> Iterable[SimRecord]:
    """Every 50th event is followed by one of 2099."""
    for number, record in enumerate(records):
        yield record
        if number % 50 == 0:
            with suppress(msgspec.DecodeError):
                value = msgspec.json.decode(record.value)
                value |= {"event_id": f"of-2099-{number}", "occurred_at": IN_2099_MS}
                yield record._replace(value=msgspec.json.encode(value))


@case("F20 no room on disk, no descriptors, no memory", "goes on or ends; resumes exactly", short=3, long=15)
async def limits(stage: Stage, times: int) -> Outcome:
    """The limits are laid on the running process; the one that comes after it has none."""

    async def fault(play: Play) -> None:
        ended = 0
        for number in range(times):
            await play.pause(1.0, 3.0)
            before = len(play.worker.exits)
            what = (disk_full, few_descriptors, little_memory)[number % 3]
            what(play.worker.process.pid)
            if number % 3 == 1:
                stage.wire.cut()  # new connections want new descriptors
            with suppress(AssertionError):  # it may as well live
                await play.dies(play.worker, before, seconds=15)
                ended += 1
            if len(play.worker.exits) == before:
                # Its stores are written when they are closed, at the latest.
                await play.worker.leave()
                play.workers[0] = await play.shop.worker()
            code = play.worker.exits[before]
            play.expect(code in ORDERLY, f"{what.__name__}: ended with {code}")
            await play.works_again(time.monotonic())
        play.figures["ended_itself"] = ended

    return await under_load(stage, times, fault)


def disk_full(pid: int) -> None:
    """No file may grow beyond what a log of a few minutes fits in, but no table."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (200_000, 200_000))


def few_descriptors(pid: int) -> None:
    """64, of which most are taken."""
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (64, 64))


def little_memory(pid: int) -> None:
    """Hardly more than it has."""
    size = psutil.Process(pid).memory_info().vms
    resource.prlimit(pid, resource.RLIMIT_AS, (size + 2_000_000, size + 2_000_000))


@case("F20 64 descriptors from the start", "works, or says what it lacks", short=1, long=2)
async def few_from_the_start(stage: Stage, times: int) -> Outcome:
    async with open_bare(stage) as bare:
        await bare.shop.sink()
        worker = await bare.shop.worker()
        few_descriptors(worker.process.pid)
        await bare.load.run(limit=5_000)
        with suppress(AssertionError):
            await worker.works(seconds=30)
        bare.figures["worked"] = float(bool(worker.has()))
        bare.expect(
            bool(worker.has()) or "Too many open files" in worker.tail(400), "nobody says what is missing"
        )
        await worker.leave(kill=True)
        await asyncio.gather(bare.shop.worker(), bare.load.run(limit=5_000))
        return await bare.outcome(times)
