"""An installation without a steady load, for cases that say themselves what comes when."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.faults.play import Change
from tests.faults.stage import Outcome, Stage
from tests.kafka.campaign.load import Load
from tests.kafka.campaign.members import Member
from tests.kafka.campaign.report import KEPT, Finding
from tests.kafka.campaign.shops import large_history
from tests.kafka.pipeline_kit import PARTITIONS, Installation
from tests.oracle.records import RawRecord

EVENTS = 60_000
PEOPLE = 1_500
# Read at full speed, what is forwarded must not be too late where it lands.
DAYS = 1.0


@dataclass
class Bare:
    """`load.run(limit=...)` sends some more of a day's history."""

    stage: Stage
    shop: Installation
    load: Load
    chance: random.Random
    began: float = field(default_factory=time.monotonic)
    figures: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def expect(self, is_so: bool, otherwise: str) -> None:
        """Note what is not as promised; the case goes on."""
        if not is_so:
            self.wrong.append(otherwise)

    async def outcome(self, times: int, *, sources: list[RawRecord] | None = None) -> Outcome:
        """Wait until all is visible, and compare it. `sources`: see Finding."""
        seconds = time.monotonic() - self.began
        sent = self.load.sent if sources is None else len(sources)
        finding = await Finding.of(self.shop, sent=sent, seconds=seconds, sources=sources)
        return Outcome(times=times, figures=self.figures, finding=finding, wrong=self.wrong)


@asynccontextmanager
async def open_bare(
    stage: Stage,
    *,
    seed: int = 1,
    partitions: int = PARTITIONS,
    change: Change = lambda records: records,
    events: int = EVENTS,
    people: int = PEOPLE,
    days: float = DAYS,
    **env: str,
) -> AsyncIterator[Bare]:
    """Topics and tables, no process yet. `change`: what becomes of the history on its way."""
    history = large_history(events, people=people, days=days, seed=seed)
    stores = history.scenario.settings()
    directory = stage.directory / f"shop-{seed}"
    async with stage.installation(directory, stores, partitions=partitions, env=env) as shop:
        yield Bare(stage, shop, shop.load(change(history.records)), random.Random(seed))


async def next_end(member: Member, *, seconds: float = 60.0) -> int:
    """Wait until a process that has just been started has ended; its code. TimeoutError."""
    before = len(member.exits)
    async with asyncio.timeout(seconds):
        while len(member.exits) <= before:
            await asyncio.sleep(0.02)
    return member.exits[before]


def together(outcomes: Iterable[Outcome]) -> Outcome:
    """Several installations as one case. Figures: the largest of each name."""
    whole: Outcome | None = None
    for each in outcomes:
        if whole is None:
            whole = each
            continue
        one, other = whole.finding, each.finding
        counts = {name: one.counts.get(name, 0) + count for name, count in other.counts.items()}
        whole = Outcome(
            times=whole.times + each.times,
            figures={
                name: max(whole.figures.get(name, value), value) for name, value in each.figures.items()
            },
            finding=Finding(
                sent=one.sent + other.sent,
                seconds=one.seconds + other.seconds,
                drain_seconds=max(one.drain_seconds, other.drain_seconds),
                counts=counts,
                difference_count=one.difference_count + other.difference_count,
                differences=[*one.differences, *other.differences][:KEPT],
            ),
            wrong=whole.wrong + each.wrong,
        )
    assert whole is not None, "a case is played at least once"
    return whole
