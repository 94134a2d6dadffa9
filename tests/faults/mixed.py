"""kill -9 of worker, sink and broker, one after the other and on top of each other, while a million records come."""

import asyncio
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Sequence

from tests.faults.matrix import case
from tests.faults.play import Play, under_load
from tests.faults.stage import Outcome, Stage
from tests.kafka.campaign.killing import EARLY_SHARE, TRAILING_SECONDS
from tests.kafka.campaign.kills import spread

WORKER, SINK, BROKER = "worker", "sink", "broker"
# Two lanes at once: a sink knows nothing of what its neighbours go through, and falls while they come back.
LANES = ((WORKER, WORKER, BROKER), (SINK, SINK))
RATE = 800.0
# Of a case at length: a hundred kills over a million records.
RECORDS_A_KILL = 10_000
AGAIN_SECONDS = 20.0
LONG = 20


@case("F1/F8 kill -9 of worker, sink and broker, mixed", "processing again p95 <= 20 s", short=5, long=100)
async def mixed_kills(stage: Stage, times: int) -> Outcome:
    """One in five falls while what the one before it broke is still coming back."""
    is_long = times >= LONG
    records = times * RECORDS_A_KILL if is_long else 0

    async def fault(play: Play) -> None:
        again: defaultdict[str, list[float]] = defaultdict(list)
        shares = [times * len(lane) // sum(map(len, LANES)) for lane in LANES]
        shares[0] += times - sum(shares)
        await asyncio.gather(
            *(strike(play, lane, share, records, again) for lane, share in zip(LANES, shares, strict=True))
        )
        await sent(play, records)
        everyone = [one for seconds in again.values() for one in seconds]
        for victim, seconds in {**again, "": everyone}.items():
            found = spread(seconds)
            play.figures |= {
                f"again_{victim}_{name}_s".replace("__", "_"): found[name] for name in ("p50", "p95")
            }
        play.figures["kills"] = times
        play.figures["measured"] = len(everyone)
        p95 = play.figures["again_p95_s"]
        play.expect(p95 <= AGAIN_SECONDS, f"processing again took {p95} s in one of twenty")

    rate = RATE if is_long else 0.0
    return await under_load(stage, times, fault, rate=rate, long=4 * records / RATE)


async def strike(
    play: Play, lane: Sequence[str], times: int, records: int, again: dict[str, list[float]]
) -> None:
    """So many kills in an order of chance, spread over the records; by victim, how long all took to go on."""
    victims = [lane[number % len(lane)] for number in range(times)]
    play.chance.shuffle(victims)
    for number, victim in enumerate(victims):
        await sent(play, number * records // times)
        await play.pause(0.0, 3.0)
        killed = time.monotonic()
        await kill(play, victim)
        if play.chance.random() < EARLY_SHARE and number + 1 < times:
            continue
        with play.going_on(victim):
            await works_again(play, victim, killed)
            again[victim].append(time.monotonic() - killed)


async def sent(play: Play, records: int) -> None:
    """Wait until so many were sent."""
    while play.load.sent < records and not play.loading.done():
        await asyncio.sleep(0.1)


async def kill(play: Play, victim: str) -> None:
    """Now; it is on its way back when this returns."""
    sys.stderr.write(f"  {time.strftime('%H:%M:%S')} {play.load.sent} sent, kill -9 of the {victim}\n")
    if victim == BROKER:
        play.stage.signal_broker(signal.SIGKILL)
        await play.stage.broker_returns()
        return
    await (play.worker if victim == WORKER else play.sink).replaced()


async def works_again(play: Play, victim: str, killed: float) -> None:
    """Wait until every partition commits, and, after a kill of the sink, until ClickHouse has taken rows from it."""
    if victim == SINK:
        await play.sink.works()
        assert await play.stage.house.takes(), f"no rows from the sink\n{play.sink.tail()}"
        return
    await play.works_again(killed, trailing=TRAILING_SECONDS if victim == WORKER else 0.0)
