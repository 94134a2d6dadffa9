"""ClickHouse in trouble while all else goes on at full rate: what it costs, and how soon it is over."""

import asyncio
import time
from typing import NamedTuple

from streams.lag import LagReader, watched_groups
from streams.settings import Settings
from tests.faults.matrix import case
from tests.faults.memory import resident_mb
from tests.faults.play import Play, under_load
from tests.faults.shim import Answer
from tests.faults.stage import Outcome, Stage
from tests.kafka.campaign.report import DRAIN_SECONDS

MINUTE_S = 60.0
MEMORY_MORE_MB = 50.0
PAUSE_MOST_S = 15.0
# The sink's longest pause between two attempts is ten seconds.
SINK_BACK_S = 15.0
CATCH_UP_LEAST = 3.0
WARM_UP_S = 30.0
# So far a sink that keeps up may be behind.
NEAR_S = 3.0
AWAY_S = 8.0
LONG_AWAY_S = 120.0
TROUBLES = (
    Answer.AWAY, Answer.READ_ONLY, Answer.TOO_MANY_PARTS, Answer.NO_MEMORY, Answer.HANG, Answer.SLOW,
)  # fmt: skip


class Position(NamedTuple):
    """Where the sink is in all that it reads, in records (transaction markers are counted as such)."""

    at: float
    """Monotonic seconds."""
    taken: int
    written: int

    @property
    def lag(self) -> int:
        """Written and not taken."""
        return self.written - self.taken


async def position(groups: LagReader) -> Position:
    """Of this moment."""
    (sink,) = await groups.measure()
    partitions = sink.partitions
    return Position(
        time.monotonic(), sum(each.next for each in partitions), sum(each.end for each in partitions)
    )


def of_the_sink(settings: Settings) -> LagReader:
    """A view of the sink's group alone."""
    groups = watched_groups(settings)
    del groups[settings.application]
    return LagReader(settings, groups)


class Watch:
    """What an outage costs those who go on: the sink's memory, the longest pause of a partition, who ended."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self._before = self._most = resident_mb([play.sink])
        self._slowest = 0.0

    def look(self) -> None:
        """Once a second or so, while it lasts."""
        self._most = max(self._most, resident_mb([self._play.sink]))
        last = min(map(self._play.moving.last, self._play.moving.partitions))
        self._slowest = max(self._slowest, time.monotonic() - last)

    async def until(self, moment: float) -> None:
        """Look until then (monotonic seconds)."""
        while time.monotonic() < moment:
            await asyncio.sleep(1.0)
            self.look()

    def judge(self) -> None:
        """Put figures and what is not as promised into the play."""
        play, before, most = self._play, self._before, self._most
        play.figures |= {
            "sink_memory_before_mb": before,
            "sink_memory_most_mb": most,
            "worker_pause_max_s": round(self._slowest, 2),
        }
        play.expect(most <= before + MEMORY_MORE_MB, f"the sink grew from {before} to {most} MB")
        play.expect(self._slowest < PAUSE_MOST_S, f"a partition stood still for {self._slowest:.1f} s")
        unasked = [code for member in (play.worker, play.sink) for code in member.unasked]
        play.expect(unasked == [], f"somebody ended: {unasked}")


@case(
    "F13 ClickHouse is away, slow, full, read-only",
    "workers unaffected, memory of the sink +<= 50 MB",
    short=1,
    long=5,
)
async def troubles(stage: Stage, times: int) -> Outcome:
    """Played at length, it is in each trouble for two minutes, but for the last."""
    away_s = AWAY_S if times == 1 else LONG_AWAY_S

    async def fault(play: Play) -> None:
        watch, sink_back = Watch(play), 0.0
        for number in range(max(times, len(TROUBLES))):
            stage.house.answer(TROUBLES[number % len(TROUBLES)])
            await watch.until(time.monotonic() + (away_s if number < times else AWAY_S))
            stage.house.answer(Answer.TRUE)
            healed = time.monotonic()
            await stage.house.takes()
            sink_back = max(sink_back, time.monotonic() - healed)
            await play.works_again(time.monotonic())
        play.figures["sink_back_max_s"] = round(sink_back, 2)
        play.expect(sink_back <= SINK_BACK_S, f"the sink came back after {sink_back:.1f} s")
        watch.judge()

    return await under_load(stage, times, fault)


@case(
    "F13 ClickHouse is away for minutes at full rate",
    "workers unaffected, memory of the sink +<= 50 MB, catches up at >= 3 times the live rate",
    short=1,
    long=10,
)
async def away_for_minutes(stage: Stage, times: int) -> Outcome:
    """`times`: minutes, all at once."""

    async def fault(play: Play) -> None:
        async with of_the_sink(play.shop.settings) as groups:
            await asyncio.sleep(WARM_UP_S)
            watch, went = Watch(play), await position(groups)
            stage.house.answer(Answer.AWAY)
            await watch.until(went.at + times * MINUTE_S)
            came = await position(groups)
            live = (came.written - went.written) / (came.at - went.at)
            stage.house.answer(Answer.TRUE)
            now = came
            while now.lag > live * NEAR_S:
                if now.at > came.at + DRAIN_SECONDS:
                    raise AssertionError(
                        f"{now.lag} records are left after {DRAIN_SECONDS} s\n{play.shop.logs()}"
                    )
                await asyncio.sleep(0.2)
                watch.look()
                now = await position(groups)
            caught = (now.taken - came.taken) / (now.at - came.at)
        play.figures |= {
            "away_s": round(came.at - went.at, 1),
            "rows_behind": came.lag,
            "live_rows_per_s": round(live),
            "caught_up_after_s": round(now.at - came.at, 1),
            "caught_up_rows_per_s": round(caught),
            "caught_up_times_live": round(caught / live, 2),
        }
        play.expect(caught >= CATCH_UP_LEAST * live, f"caught up at {caught / live:.1f} times the live rate")
        watch.judge()

    return await under_load(stage, times, fault)
