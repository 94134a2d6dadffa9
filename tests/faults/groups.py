"""Groups: one that has never committed, and one whose members are of different versions."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import suppress

import msgspec

from deploy.simulator.wire import SimRecord
from streams.failpoints import VARIABLE
from tests.faults.bare import Bare, next_end, open_bare, together
from tests.faults.matrix import case
from tests.faults.meddling import inside
from tests.faults.processes import FATAL
from tests.faults.stage import Outcome, Stage

FIRST_STEPS = ("epoch.begun", "epoch.delivered", "epoch.offsets", "epoch.committed")
RECORDS = 4_000
NEWER = 99


@case("F5 a fresh group, killed before its first commit", "nothing is skipped", short=2, long=20)
async def fresh_group(stage: Stage, times: int) -> Outcome:
    """Records are there before anybody reads. Kills and rebalances come while no offset was ever committed."""
    outcomes = []
    for number in range(times):
        async with open_bare(stage, seed=number + 1) as bare:
            await bare.load.run(limit=RECORDS)
            if number % 2:
                await killed_while_joining(bare)
            else:
                await killed_at_the_first_commit(bare, FIRST_STEPS[number // 2 % len(FIRST_STEPS)])
            await bare.shop.sink()
            await bare.load.run(limit=RECORDS)
            outcomes.append(await bare.outcome(1))
    return together(outcomes)


async def killed_at_the_first_commit(bare: Bare, step: str) -> None:
    worker = await bare.shop.worker("0", **{VARIABLE: f"{step}=kill@1"})
    await next_end(worker)
    await worker.leave(kill=True)
    await bare.shop.worker("0", **{VARIABLE: ""})


async def killed_while_joining(bare: Bare) -> None:
    """Two workers at once; one of them dies within the seconds in which they join, fence and restore."""
    workers = []
    for slot in ("0", "1"):
        workers.append(await bare.shop.worker(slot))
        await asyncio.sleep(bare.chance.uniform(0.0, 0.2))
    await asyncio.sleep(bare.chance.uniform(0.0, 6.0))
    await bare.chance.choice(workers).leave(kill=True)


@case("F22 events of a newer contract", "one field more is read, a newer version kept", short=1, long=3)
async def newer_events(stage: Stage, times: int) -> Outcome:
    async with open_bare(stage, change=of_the_next_version) as bare:
        await bare.shop.worker()
        await bare.shop.sink()
        await bare.load.run(limit=RECORDS * times)
        outcome = await bare.outcome(times)
        dead = outcome.finding.counts["dead_letters"]
        bare.expect(
            dead >= RECORDS * times // 50, f"only {dead} dead letters, so versions were not looked at"
        )
        return outcome


def of_the_next_version(records: Iterator[SimRecord]) -> Iterable[SimRecord]:
    """Every third event has a field that nobody knows, every 50th says a version that is to come."""
    for number, record in enumerate(records):
        value = None
        if number % 3 == 0 or number % 50 == 49:
            with suppress(msgspec.DecodeError):
                value = msgspec.json.decode(record.value)
        if not isinstance(value, dict):
            yield record
            continue
        value["of_the_next_version"] = {"any": [1, "thing"]}
        if number % 50 == 49:
            value["schema_version"] = NEWER
        yield record._replace(value=msgspec.json.encode(value))


@case(
    "F22 a worker that knows an input topic more joins", "no partition is worked on in parts", short=1, long=5
)
async def another_version_joins(stage: Stage, times: int) -> Outcome:
    """The earlier version does not know definitions. Beside it the newer one must end itself; alone it works."""
    outcomes = []
    for number in range(times):
        async with open_bare(stage, seed=number + 1) as bare:
            await bare.shop.sink()
            earlier = await bare.shop.worker("0", **inside(without="definition"))
            await bare.load.run(limit=RECORDS)
            await earlier.works()
            newer = await bare.shop.worker("1")
            code = await next_end(newer, seconds=90)
            bare.expect(code == FATAL, f"the newer one ended with {code}")
            said = "the assignment can't be worked on" in newer.tail(400)
            bare.expect(said, f"the newer one does not say why it ends: {newer.tail(5)}")
            await bare.load.run(limit=RECORDS)
            await earlier.leave()
            await newer.works(seconds=90)
            outcomes.append(await bare.outcome(1))
    return together(outcomes)
