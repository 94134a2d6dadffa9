"""Faults of our own processes: killed at every step of a commit, moved to other disks, stopped, stuck, out of step."""

import asyncio
import shutil
import signal
import time
from collections.abc import Mapping
from itertools import cycle
from pathlib import Path

from streams.failpoints import PLACES, VARIABLE
from tests.faults.matrix import case
from tests.faults.play import Play, under_load
from tests.faults.proxy import Wire
from tests.faults.shim import Answer
from tests.faults.stage import Outcome, Stage
from tests.kafka.campaign.killing import TRAILING_SECONDS
from tests.kafka.campaign.members import Member
from tests.kafka.campaign.moving import share

STATE_DIR = "SHOPMETER_WORKER__STATE_DIR"
EPOCH_PLACES = tuple(place for place in PLACES if place.startswith("epoch."))
SINK_PLACES = tuple(place for place in PLACES if place.startswith("sink."))
STEPS = (*EPOCH_PLACES, "chunk.taken", *SINK_PLACES)
FATAL = 70
# A heartbeat tells of the rebalance, and a session ends.
GHOST_SECONDS = 10.0
# The pauses are judged all together: one that is too long must not end a run of an hour.
PATIENCE_SECONDS = 240.0
# Bytes; larger than a block of a table, so that some stay whole.
SPOILED_EVERY = 16_384
# The shortest that the broker grants.
SHORT_SESSION = {"SHOPMETER_WORKER__SESSION_TIMEOUT_MS": "6000", "SHOPMETER_WORKER__HEARTBEAT_MS": "2000"}


@case("F1 kill -9 of the worker", "works again: p95 <= 20 s", short=2, long=100)
async def kill_worker(stage: Stage, times: int) -> Outcome:
    async def fault(play: Play) -> None:
        for _ in range(times):
            await play.pause(0.0, 3.0)
            began = time.monotonic()
            play.worker.kill()
            await play.works_again(began, trailing=TRAILING_SECONDS)

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
                await play.works_again(time.monotonic(), trailing=TRAILING_SECONDS)
                await member.works()

    return await under_load(stage, times * len(STEPS), fault)


async def restarted(
    play: Play,
    failpoints: str = "",
    *,
    sink: bool = False,
    each_life: bool = False,
    env: Mapping[str, str] | None = None,
) -> None:
    """Kill the worker (or sink) and have it come back with these failpoints armed, in its next life or in each."""
    member = play.sink if sink else play.worker
    member.env.update({VARIABLE: failpoints, **(env or {})})
    await member.replaced()
    if not each_life:
        member.env[VARIABLE] = ""


@case("F2 the worker comes back on another disk", "the same rows from either", short=2, long=30)
async def other_disk(stage: Stage, times: int) -> Outcome:
    async def fault(play: Play) -> None:
        disks = cycle([str(stage.directory / "disk-b"), str(stage.directory / "disk-a")])
        for _ in range(times):
            await play.pause(0.5, 2.0)
            began = time.monotonic()
            await restarted(play, "", env={STATE_DIR: next(disks)})
            await play.works_again(began, trailing=TRAILING_SECONDS)

    return await under_load(stage, times, fault, env={STATE_DIR: str(stage.directory / "disk-a")})


@case("F3 workers join and leave, one to three", "pause p95 <= 15 s", short=1, long=50)
async def join_and_leave(stage: Stage, times: int) -> Outcome:
    async def fault(play: Play) -> None:
        for _ in range(times):
            slots = ["1", "2"][: play.chance.randint(1, 2)]
            for slot in slots:
                began = time.monotonic()
                await play.shop.worker(slot)
                await play.settles(began, seconds=PATIENCE_SECONDS)
            await play.pause(0.0, 2.0)
            for slot in slots:
                began = time.monotonic()
                await play.shop.members[f"worker-{slot}"].leave(kill=play.chance.random() < 0.5)
                await play.settles(began, seconds=PATIENCE_SECONDS)
        p95 = share(play.pauses, 0.95)
        play.expect(p95 <= 15.0, f"partitions paused for {p95:.1f} s")

    return await under_load(stage, times, fault, partitions=6)


@case("F4 two rebalances at once", "no hang of 60 s", short=1, long=30)
async def rebalances_at_once(stage: Stage, times: int) -> Outcome:
    async def fault(play: Play) -> None:
        for _ in range(times):
            joining = []
            for slot in ("1", "2"):
                joining.append(await play.shop.worker(slot))
                await play.pause(0.0, 0.2)
            async with asyncio.timeout(60):
                while not any(asks_for_a_share(member) for member in joining):
                    await asyncio.sleep(0.02)
            await play.pause(0.0, 4.0)  # while they join and restore
            began = time.monotonic()
            await play.shop.members["worker-1"].leave(kill=True)
            await play.shop.members["worker-2"].leave(kill=play.chance.random() < 0.5)
            # Ghosts that have asked in time get a share, and keep it for a session.
            await asyncio.sleep(GHOST_SECONDS)
            await play.settles(began)

    return await under_load(stage, times, fault, partitions=6)


def asks_for_a_share(member: Member) -> bool:
    """Has each of its processes begun to talk to the group?"""
    return member.log.exists() and member.log.read_text().count("ChunkThread]: Starting") == member.starts


SPOILED = (
    "deleted", "corrupt", "a file lost", "stale", "killed restore", "failed restore", "no broker",
)  # fmt: skip
# Only an orderly stop leaves all of the state on the disk: what a kill loses is read from the changelog again.
ORDERLY = ("deleted", "corrupt", "a file lost")
RESTORES = {"killed restore": "kill", "failed restore": "raise"}
# Damage may be met by a read, late: that life ends, the next one wipes. Without a broker a start may end with 3 or 70.
DEATHS = {
    "corrupt": {FATAL},
    "killed restore": {-signal.SIGKILL},
    "failed restore": {FATAL},
    "no broker": {FATAL, 3},
}


@case("F6 the local state is spoiled", "wiped, refused or repaired; works again", short=7, long=140)
async def spoiled_state(stage: Stage, times: int) -> Outcome:
    disk, old = stage.directory / "disk", stage.directory / "old-disk"

    async def fault(play: Play) -> None:
        for number in range(times):
            how = SPOILED[number % len(SPOILED)]
            await play.pause(1.0, 3.0)
            began = time.monotonic()
            await play.worker.leave(kill=how not in ORDERLY)
            play.expect(spoil(disk, old, how), f"{how}: there was nothing to spoil")
            action, at = RESTORES.get(how, ""), play.chance.randint(1, play.shop.settings.partitions)
            before = len(play.worker.exits)
            point = f"restore.batch={action}@{at}" if action else ""
            play.workers[0] = await play.shop.worker("0", **{VARIABLE: point, STATE_DIR: str(disk)})
            play.worker.env[VARIABLE] = ""
            if how == "no broker":
                await play.pause(1.0, 5.0)
                stage.signal_broker(signal.SIGKILL)
                await stage.broker_returns()
                began = time.monotonic()
            await play.works_again(began, trailing=TRAILING_SECONDS)
            deaths = play.worker.exits[before:]
            play.expect(
                set(deaths) <= DEATHS.get(how, set()) and bool(deaths) >= bool(action),
                f"{how}: ended with {deaths}",
            )

    return await under_load(stage, times, fault, env={STATE_DIR: str(disk)})


def spoil(disk: Path, old: Path, how: str) -> bool:
    """Do it to the state of a worker that has ended. False: there was nothing that it could be done to."""
    tables = list(disk.rglob("*.sst"))
    match how:
        case "deleted":
            shutil.rmtree(old, ignore_errors=True)
            disk.rename(old)  # it comes back when it is stale
        case "corrupt":
            for table in tables:
                data = bytearray(table.read_bytes())
                for begin in range(0, len(data) - 64, SPOILED_EVERY):
                    data[begin : begin + 64] = bytes(64)
                table.write_bytes(data)
        case "a file lost":
            for table in tables[:1]:
                table.unlink()
        case "stale":
            shutil.rmtree(disk)
            shutil.copytree(old, disk)
            return any(disk.rglob("*.sst"))
        case _:
            shutil.rmtree(disk)
    return bool(tables) or how not in ORDERLY


@case("F7 a zombie: stopped for two sessions, then woken", "ends itself within 5 s", short=1, long=30)
async def zombie(stage: Stage, times: int) -> Outcome:
    async def fault(play: Play) -> None:
        slowest = 0.0
        for number in range(times):
            member = play.workers[number % 2]
            await play.shared()  # one that has nothing to lose is no zombie
            before = len(member.exits)
            member.send(signal.SIGSTOP)
            began = time.monotonic()
            await play.works_again(began, trailing=TRAILING_SECONDS)  # the other one, on all partitions
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
        await play.works_again(began, trailing=TRAILING_SECONDS)

    return await under_load(stage, times, fault, workers=2, env=SHORT_SESSION)


@case(
    "F10 a handler fails at an event", "exits, commits nothing past it, goes on once mended", short=1, long=10
)
async def failing_handler(stage: Stage, times: int) -> Outcome:
    async def fault(play: Play) -> None:
        for _ in range(times):
            before = len(play.worker.exits)
            await restarted(play, "chunk.taken=raise@1", each_life=True)
            broken = time.monotonic() + TRAILING_SECONDS
            for death in range(1, 4):
                code = await play.dies(play.worker, before + death)
                play.expect(code == FATAL, f"ended with {code}")
            last = max(map(play.moving.last, play.moving.partitions))
            play.expect(last < broken, f"something was committed past it, {last - broken:.1f} s later")
            play.worker.env[VARIABLE] = ""  # mended before its next life
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
            await play.works_again(time.monotonic())
        play.figures["ends_itself_max_s"] = round(slowest, 2)

    return await under_load(stage, times, fault)


@case("F23 SIGTERM while everything else hangs", "ends within 20 s", short=2, long=20)
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
