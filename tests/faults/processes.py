"""Faults of our own processes: killed at every step of a commit, moved to other disks, stopped, stuck, out of step."""

import asyncio
import shutil
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from itertools import cycle
from pathlib import Path

from streams.failpoints import PLACES, VARIABLE
from tests.faults.matrix import case
from tests.faults.proxy import Wire
from tests.faults.shim import Answer
from tests.faults.stage import Outcome, Play, Stage, under_load

STATE_DIR = "SHOPMETER_WORKER__STATE_DIR"
EPOCH_PLACES = tuple(place for place in PLACES if place.startswith("epoch."))
SINK_PLACES = tuple(place for place in PLACES if place.startswith("sink."))
STEPS = (*EPOCH_PLACES, "chunk.taken", *SINK_PLACES)
FATAL = 70


@case("F1 kill -9 of the worker", "works again: p95 <= 20 s", short=2, long=100)
async def kill_worker(stage: Stage, times: int) -> Outcome:
    async def fault(play: Play) -> None:
        for _ in range(times):
            await play.pause(0.0, 3.0)
            began = time.monotonic()
            play.worker.kill()
            await play.works_again(began + 0.5)

    return await under_load(stage, times, fault)


@case("F1 kill -9 at each step of a commit", "dies there, works again", short=1, long=5)
async def kill_at_steps(stage: Stage, times: int) -> Outcome:
    async def fault(play: Play) -> None:
        for place in STEPS:
            is_sink = place in SINK_PLACES
            member = play.sink if is_sink else play.worker
            for _ in range(times):
                await restarted(play, f"{place}=kill@{play.chance.randint(1, 12)}", sink=is_sink)
                code = await play.dies(member, len(member.exits))
                play.expect(code == -signal.SIGKILL, f"{place}: ended with {code}")
                await restarted(play, "", sink=is_sink)
                await play.works_again(time.monotonic())

    return await under_load(stage, times * len(STEPS), fault)


async def restarted(
    play: Play, failpoints: str, *, sink: bool = False, env: Mapping[str, str] | None = None
) -> None:
    """Kill the worker (or sink) and have it come back with these failpoints armed."""
    member = play.sink if sink else play.worker
    member.env.update({VARIABLE: failpoints, **(env or {})})
    starts = member.starts
    member.kill()
    async with asyncio.timeout(30):
        while member.starts == starts:
            await asyncio.sleep(0.005)


@case("F2 the worker comes back on another disk", "the same rows from either", short=2, long=30)
async def other_disk(stage: Stage, times: int) -> Outcome:
    async def fault(play: Play) -> None:
        disks = cycle([str(stage.directory / "disk-b"), str(stage.directory / "disk-a")])
        for _ in range(times):
            await play.pause(0.5, 2.0)
            began = time.monotonic()
            await restarted(play, "", env={STATE_DIR: next(disks)})
            await play.works_again(began + 0.5)

    return await under_load(stage, times, fault, env={STATE_DIR: str(stage.directory / "disk-a")})


@case("F3 workers join and leave, one to three", "pause p95 <= 15 s", short=1, long=50)
async def join_and_leave(stage: Stage, times: int) -> Outcome:
    async def fault(play: Play) -> None:
        for _ in range(times):
            slots = ["1", "2"][: play.chance.randint(1, 2)]
            for slot in slots:
                began = time.monotonic()
                await play.shop.worker(slot)
                await play.works_again(began)
            await play.pause(0.0, 2.0)
            for slot in slots:
                began = time.monotonic()
                await play.shop.members[f"worker-{slot}"].leave(kill=play.chance.random() < 0.5)
                await play.works_again(began)

    return await under_load(stage, times, fault, partitions=6)


@case("F4 two rebalances at once", "no hang of 60 s", short=1, long=30)
async def rebalances_at_once(stage: Stage, times: int) -> Outcome:
    async def fault(play: Play) -> None:
        for _ in range(times):
            for slot in ("1", "2"):
                await play.shop.worker(slot)
                await play.pause(0.0, 0.2)
            await play.pause(0.0, 3.0)  # while they join and restore
            await play.shop.members["worker-1"].leave(kill=True)
            began = time.monotonic()
            await play.shop.members["worker-2"].leave(kill=play.chance.random() < 0.5)
            await play.works_again(began, seconds=60)

    return await under_load(stage, times, fault, partitions=6)


@case("F6 the local state is spoiled", "wiped, refused or repaired; works again", short=1, long=20)
async def spoiled_state(stage: Stage, times: int) -> Outcome:
    disk = stage.directory / "disk"

    async def fault(play: Play) -> None:
        old = stage.directory / "old-disk"
        for number in range(times):
            how = ("deleted", "corrupt", "stale", "killed restore", "failed restore")[number % 5]
            await play.pause(1.0, 3.0)
            began = time.monotonic()
            await play.worker.leave(kill=True)
            if how in ("deleted", "killed restore", "failed restore"):
                shutil.rmtree(disk)
            elif how == "corrupt":
                spoil(disk)
            elif old.exists():
                shutil.rmtree(disk)
                shutil.copytree(old, disk)
            else:
                shutil.copytree(disk, old)
            point = {"killed restore": "restore.batch=kill", "failed restore": "restore.batch=raise"}.get(
                how, ""
            )
            before = len(play.worker.exits)
            play.workers[0] = await play.shop.worker("0", **{VARIABLE: point, STATE_DIR: str(disk)})
            if point:
                code = await play.dies(play.worker, before)
                play.expect(
                    code == (-signal.SIGKILL if "kill" in point else FATAL), f"{how}: ended with {code}"
                )
                play.worker.env[VARIABLE] = ""
            if how == "corrupt":
                await mended(play, disk, before)
            await play.works_again(began + 0.5)

    return await under_load(stage, times, fault, env={STATE_DIR: str(disk)})


def spoil(disk: Path) -> None:
    """Overwrite the middle of every table file."""
    for file in disk.rglob("*.sst"):
        data = bytearray(file.read_bytes())
        middle = len(data) // 2
        data[middle : middle + 64] = bytes(64)
        file.write_bytes(data)


async def mended(play: Play, disk: Path, before: int) -> None:
    """A worker that refuses its state: what an operator does is to delete it. One that does not notice must be exact."""
    with suppress(TimeoutError):
        code = await play.dies(play.worker, before, seconds=20)
        play.expect(code == FATAL, f"a corrupt state: ended with {code}")
        shutil.rmtree(disk)


@case("F7 a zombie: stopped for two sessions, then woken", "ends itself within 5 s", short=1, long=30)
async def zombie(stage: Stage, times: int) -> Outcome:
    session = {"SHOPMETER_WORKER__SESSION_TIMEOUT_MS": "6000", "SHOPMETER_WORKER__HEARTBEAT_MS": "2000"}

    async def fault(play: Play) -> None:
        slowest = 0.0
        for number in range(times):
            member = play.workers[number % 2]
            before = len(member.exits)
            member.send(signal.SIGSTOP)
            began = time.monotonic()
            await play.works_again(began + 1.0)  # the other one, on all partitions
            await asyncio.sleep(max(0.0, began + 12.0 - time.monotonic()))
            member.send(signal.SIGCONT)
            woken = time.monotonic()
            code = await play.dies(member, before)
            slowest = max(slowest, time.monotonic() - woken)
            play.expect(code == FATAL, f"ended with {code}")
            await play.works_again(time.monotonic())
        play.figures["ends_itself_max_s"] = round(slowest, 2)
        play.expect(slowest <= 5.0, f"a zombie lived for {slowest:.1f} s")
        # Nothing of what the zombie did may be in the changelog: a recovery from nothing says so.
        began = time.monotonic()
        await play.workers[1].leave()
        await restarted(play, "", env={STATE_DIR: str(stage.directory / "empty")})
        await play.works_again(began + 0.5)

    return await under_load(stage, times, fault, workers=2, env=session)


@case(
    "F10 a handler fails at an event", "exits, commits nothing past it, goes on once mended", short=1, long=10
)
async def failing_handler(stage: Stage, times: int) -> Outcome:
    async def fault(play: Play) -> None:
        for _ in range(times):
            before = len(play.worker.exits)
            await restarted(play, "chunk.taken=raise@1")
            for death in range(1, 4):
                code = await play.dies(play.worker, before + death)
                play.expect(code == FATAL, f"ended with {code}")
            still = max(map(play.moving.last, play.moving.partitions))
            play.expect(still < time.monotonic() - 0.5, "something was committed past it")
            await restarted(play, "")
            await play.works_again(time.monotonic())

    return await under_load(stage, times, fault)


@case("F16 the event loop stands still", "the watchdog ends the process within 60 s", short=1, long=10)
async def stuck(stage: Stage, times: int) -> Outcome:
    async def fault(play: Play) -> None:
        slowest = 0.0
        for _ in range(times):
            await restarted(play, f"chunk.taken=block@{play.chance.randint(5, 50)}")
            began = time.monotonic()
            code = await play.dies(play.worker, len(play.worker.exits), seconds=90)
            slowest = max(slowest, time.monotonic() - began)
            play.expect(code == FATAL, f"ended with {code}")
            await restarted(play, "")
            await play.works_again(time.monotonic())
        play.figures["ends_itself_max_s"] = round(slowest, 2)

    return await under_load(stage, times, fault)


@case("F23 SIGTERM while everything else hangs", "ends within 20 s", short=1, long=10)
async def terminated(stage: Stage, times: int) -> Outcome:
    async def fault(play: Play) -> None:
        slowest = 0.0
        for number in range(times):
            member, is_sink = ((play.sink, True), (play.worker, False))[number % 2]
            if is_sink:
                stage.house.answer(Answer.HANG)
            else:
                stage.wire.set(Wire.HELD)
            await asyncio.sleep(1.0)
            began = time.monotonic()
            await member.leave(seconds=60)
            slowest = max(slowest, time.monotonic() - began)
            stage.house.answer(Answer.TRUE)
            stage.wire.set(Wire.WHOLE)
            again = await (play.shop.sink() if is_sink else play.shop.worker())
            if is_sink:
                play.sink = again
            else:
                play.workers[0] = again
            await play.works_again(time.monotonic())
        play.figures["ends_max_s"] = round(slowest, 2)
        play.expect(slowest <= 20.0, f"it took {slowest:.1f} s")

    return await under_load(stage, times, fault)
