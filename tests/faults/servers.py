"""Faults of what we depend on: the broker, the network before it, ClickHouse; and everything twice."""

import asyncio
import signal
import time

from deploy.simulator.wire import SimRecord
from tests.faults.matrix import case
from tests.faults.play import Play, under_load
from tests.faults.processes import restarted
from tests.faults.proxy import Wire
from tests.faults.shim import Answer
from tests.faults.stage import Outcome, Stage

BROKER_KILLS = (signal.SIGTERM, signal.SIGKILL)
PAUSE_SECONDS = 30.0
NETWORK_SECONDS = 12.0


@case("F8 the broker is restarted, killed, paused", "works again <= 30 s after it", short=2, long=20)
async def broker(stage: Stage, times: int) -> Outcome:
    async def fault(play: Play) -> None:
        for number in range(times):
            await play.pause(0.5, 2.0)
            if number % 3 == 2:
                stage.signal_broker(signal.SIGSTOP)
                await asyncio.sleep(PAUSE_SECONDS)
                stage.signal_broker(signal.SIGCONT)
            else:
                stage.signal_broker(BROKER_KILLS[number % 3])
                await stage.broker_returns()
            await play.works_again(time.monotonic())
        play.expect(max(play.back) <= 30.0, f"once it took {max(play.back):.1f} s after the broker was back")

    return await under_load(stage, times, fault)


@case("F12/F17 the network: cut, dead, one-way, slow", "works again <= 30 s after it", short=4, long=40)
async def network(stage: Stage, times: int) -> Outcome:
    async def fault(play: Play) -> None:
        for number in range(times):
            await play.pause(0.5, 2.0)
            if number % 4 == 0:
                stage.wire.cut()
            else:
                stage.wire.set((Wire.HELD, Wire.NO_ANSWERS, Wire.SLOW)[number % 4 - 1])
                await asyncio.sleep(play.chance.uniform(0.2, NETWORK_SECONDS))
                stage.wire.set(Wire.WHOLE)
            await play.works_again(time.monotonic())
        play.expect(max(play.back) <= 30.0, f"once it took {max(play.back):.1f} s after the network was back")

    return await under_load(stage, times, fault)


@case(
    "F14 ambiguous inserts", "applied, and answered as if not; sinks killed in between", short=40, long=1_000
)
async def ambiguous(stage: Stage, times: int) -> Outcome:
    async def fault(play: Play) -> None:
        house = stage.house
        house.answer(Answer.APPLIED_500, Answer.APPLIED_CUT, Answer.TRUE, Answer.CUT, Answer.TRUE)
        bad = (Answer.APPLIED_500, Answer.APPLIED_CUT)
        kill_at = times // 20
        while (done := sum(house.answered[each] for each in bad)) < times:
            await asyncio.sleep(0.2)
            if done >= kill_at:
                kill_at += max(1, times // 20)
                play.sink.kill()
                await play.sink.works()
        house.answer(Answer.TRUE)
        play.figures["ambiguous_inserts"] = sum(house.answered[each] for each in bad)
        play.expect(play.sink.unasked == [], f"the sink ended by itself: {play.sink.unasked}")

    return await under_load(stage, times, fault)


@case("F21 the whole load twice, and a worker that starts in between", "identical rows", short=1, long=5)
async def everything_twice(stage: Stage, times: int) -> Outcome:
    async def fault(play: Play) -> None:
        for _ in range(times):
            await asyncio.sleep(5.0)
            # By their keys, so each goes to where it was.
            repeats = [
                SimRecord(record.topic, record.key or b"", record.value or b"", max(record.timestamp, 0))
                for record in await play.shop.sources()
            ]
            await play.shop.load(repeats).run()
            await restarted(play, "")
            await play.works_again(time.monotonic())

    return await under_load(stage, times, fault)
