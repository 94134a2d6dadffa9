"""Live traffic at an even pace, made beforehand, so that making it takes nothing from the pipeline while it is measured.

The simulator is told the time at which each record will be sent. A file beside the result appears when
the sending begins.
"""

import asyncio
import sys
import time
from pathlib import Path
from typing import NamedTuple

from bench.history import STORE
from bench.peer import PeerResult, Stopwatch, main
from bench.producing import Producing
from bench.tasks import END_MS, TrafficTask
from deploy.simulator import Live, Scenario, SimRecord, StoreSpec, going_on, new_truth

# As a front door's producer gathers records: linger.ms of 50.
TICK_S = 0.05
# Making records takes about 30 us each; twice that and a little more is foreseen.
MAKE_S_A_RECORD = 0.00008
MAKE_S = 3.0


class Tick(NamedTuple):
    """Records that are due `after_s` seconds after the start."""

    after_s: float
    records: list[SimRecord]


def ticks(task: TrafficTask, start_ms: int) -> list[Tick]:
    """All records, stamped with the time at which they will be sent."""
    scenario = Scenario.ending(END_MS, days=1, stores=(StoreSpec(store_id=STORE, people=task.people),))
    live = Live(going_on(scenario, start_ms), new_truth(scenario))
    made, sent = [], 0
    for number in range(int(task.seconds / TICK_S)):
        after_s = number * TICK_S
        due = round((number + 1) * TICK_S * task.rate) - sent
        sent += due
        made.append(Tick(after_s, live.take(due, now_ms=start_ms + int(after_s * 1000), rate=task.rate)))
    return made


async def run(task: TrafficTask) -> PeerResult:
    """Make, wait for the foreseen start, send. `detail` says how far behind the pace it was at worst."""
    ahead_s = MAKE_S + MAKE_S_A_RECORD * task.rate * task.seconds
    start, start_ms = time.monotonic() + ahead_s, time.time_ns() // 1_000_000 + int(ahead_s * 1000)
    made = ticks(task, start_ms)
    left_s = start - time.monotonic()
    if left_s < 0:
        raise RuntimeError(
            f"making the traffic took {-left_s:.1f} s longer than foreseen; the machine is too busy"
        )
    behind_s = 0.0
    async with Producing(task.bootstrap, task.topics, task.partitions) as producing:
        await asyncio.sleep(start - time.monotonic())
        Path(sys.argv[2]).with_suffix(".sending").touch()
        watch = Stopwatch()
        for tick in made:
            await asyncio.sleep(max(0.0, start + tick.after_s - time.monotonic()))
            behind_s = max(behind_s, time.monotonic() - start - tick.after_s)
            await producing.write(tick.records)
            await producing.push()
        await producing.flush()
        return watch.result(producing.written, behind_s=behind_s, start=start)


if __name__ == "__main__":
    main(TrafficTask, arun=run)
