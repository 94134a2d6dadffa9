"""What `make test` plays of the matrix: one run that meets a fault of each kind, judged once, at its end."""

import asyncio
import signal
import time
from pathlib import Path

import pytest

from tests.faults.play import Play, playing
from tests.faults.processes import FATAL, SHORT_SESSION, STATE_DIR, restarted
from tests.faults.proxy import Wire
from tests.faults.shim import Answer
from tests.faults.stage import open_stage
from tests.kafka.campaign.killing import TRAILING_SECONDS

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

RATE = 200.0


# Alone it takes a minute and a half; every process starts three or four times, so a busy machine takes much longer.
@pytest.mark.timeout(900)
async def test_a_run_that_meets_a_fault_of_each_kind_is_exact(tmp_path: Path) -> None:
    async with (
        open_stage(tmp_path) as stage,
        playing(stage, 1, rate=RATE, env=SHORT_SESSION) as play,
    ):
        await kills_between_two_steps_while_inserts_are_ambiguous(play)
        await a_bug_and_a_sink_that_must_go_while_its_insert_hangs(play)
        await a_worker_that_is_stuck_while_the_network_fails(play)
        await a_zombie_that_comes_back_on_an_empty_disk(play)
        await a_broker_that_is_killed(play)
        outcome = await play.finish()
        members = play.shop.members.values()
        # 70: our own end, before any commit. 3: no broker is there.
        assert {code for member in members for code in member.unasked} <= {FATAL, 3}, play.shop.logs()
    assert outcome.finding.is_exact, outcome.finding.show()
    assert outcome.wrong == []


async def kills_between_two_steps_while_inserts_are_ambiguous(play: Play) -> None:
    house = play.stage.house
    house.answer(Answer.APPLIED_500, Answer.TRUE, Answer.APPLIED_CUT, Answer.TRUE)
    await asyncio.gather(
        restarted(play, "epoch.offsets=kill@3"), restarted(play, "sink.inserted=kill@3", sink=True)
    )
    for member in (play.worker, play.sink):
        assert await play.dies(member, 1) == -signal.SIGKILL
    await play.works_again(time.monotonic(), trailing=TRAILING_SECONDS)
    await play.sink.works()
    house.answer(Answer.TRUE)
    assert min(house.answered[Answer.APPLIED_500], house.answered[Answer.APPLIED_CUT]) > 0


async def a_bug_and_a_sink_that_must_go_while_its_insert_hangs(play: Play) -> None:
    before, house = len(play.worker.exits), play.stage.house
    house.answer(Answer.HANG)
    async with asyncio.timeout(30):
        while not house.answered[Answer.HANG]:
            await asyncio.sleep(0.02)
    await restarted(play, "chunk.taken=raise@1")
    broken = time.monotonic() + TRAILING_SECONDS
    began = time.monotonic()
    assert await play.sink.leave() == 0
    assert time.monotonic() - began <= 10.0
    house.answer(Answer.TRUE)
    play.sink = await play.shop.sink()
    assert await play.dies(play.worker, before + 1) == FATAL
    last = max(map(play.moving.last, play.moving.partitions))
    assert last < broken, "something was committed past what could not be processed"
    await play.works_again(time.monotonic())


async def a_worker_that_is_stuck_while_the_network_fails(play: Play) -> None:
    before, wire = len(play.worker.exits), play.stage.wire
    await restarted(play, "chunk.taken=block@5")
    await play.worker.works()
    for way in (Wire.NO_ANSWERS, Wire.HELD):
        wire.set(way)
        await asyncio.sleep(1.0)  # bytes are held for so long
        wire.set(Wire.WHOLE)
    wire.cut()
    assert await play.dies(play.worker, before + 1) == FATAL
    assert "the event loop has not turned" in play.worker.log.read_text()


async def a_zombie_that_comes_back_on_an_empty_disk(play: Play) -> None:
    # It joins while the first one comes back.
    play.workers.append(await play.shop.worker("1"))
    await play.shared()
    zombie, before = play.worker, len(play.worker.exits)
    zombie.send(signal.SIGSTOP)
    await play.works_again(time.monotonic(), trailing=TRAILING_SECONDS)  # the other one, on all partitions
    zombie.env[STATE_DIR] = str(play.stage.directory / "empty")
    zombie.send(signal.SIGCONT)
    woken = time.monotonic()
    assert await play.dies(zombie, before) == FATAL
    assert time.monotonic() - woken <= 5.0
    assert any(
        reason in zombie.log.read_text() for reason in ("the process stood still for", "ProducerFenced")
    )
    await play.shared()


async def a_broker_that_is_killed(play: Play) -> None:
    play.stage.signal_broker(signal.SIGKILL)
    await play.stage.broker_returns()
    await play.works_again(time.monotonic())
