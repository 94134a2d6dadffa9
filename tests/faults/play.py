"""A case at work: an installation under load, what went otherwise than promised, and the oracle at the end."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TypedDict, Unpack

import msgspec

from deploy.simulator.truth import Truth
from deploy.simulator.wire import SimRecord
from schemas.stores import ATTRIBUTION_WINDOW_MS
from tests.faults.stage import Outcome, Stage
from tests.kafka.campaign.dossier import Dossier
from tests.kafka.campaign.kills import spread
from tests.kafka.campaign.load import Load
from tests.kafka.campaign.loading import Loading
from tests.kafka.campaign.members import Member
from tests.kafka.campaign.moving import Moving
from tests.kafka.campaign.report import DRAIN_SECONDS, Finding
from tests.kafka.campaign.sampled import MOST_RECORDS
from tests.kafka.campaign.shops import DAY_SECONDS, History, large_history, many_shops
from tests.kafka.pipeline_kit import PARTITIONS, Installation

# Seconds of event time in a second: what a fault holds up for a minute stays within the allowed lateness.
LIFE = 300.0
LONGEST_SECONDS = 3 * 3_600
# Of a long case: twice what the simulator's ordinary person leaves in the three weeks that an hour is (`LIFE`), so that
# a soak's history is that of 200,000 people.
RECORDS_A_PERSON = 80

Change = Callable[[Iterator[SimRecord]], Iterable[SimRecord]]
"""What becomes of a history on its way."""


@dataclass
class Play:
    """An installation that works while records come. `wrong`: what went otherwise than promised.

    `back`: seconds, from each fault, until all worked again; `pauses`: a partition's without a commit at a rebalance.
    """

    stage: Stage
    shop: Installation
    load: Load | Loading
    moving: Moving
    chance: random.Random
    times: int
    workers: list[Member]
    sink: Member
    began: float
    loading: "asyncio.Task[int]"
    over: asyncio.Event
    history: History
    back: list[float] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    @property
    def truth(self) -> Truth:
        """What is known of all that was sent, once `loading` is over."""
        return self.load.truth if isinstance(self.load, Loading) else self.history.truth

    @property
    def worker(self) -> Member:
        """The first."""
        return self.workers[0]

    async def pause(self, least: float, most: float) -> None:
        """A random time, so that faults meet random moments."""
        await asyncio.sleep(self.chance.uniform(least, most))

    async def works_again(self, since: float, *, trailing: float = 0.0, seconds: float = 120.0) -> None:
        """Wait until every partition has committed later than `since` (monotonic), and note how long it took.

        `trailing`: so long after it, commits that were made before may still be seen.
        """
        try:
            moment = await self.moving.all_after(since + trailing, seconds=seconds)
        except TimeoutError:
            raise AssertionError(f"not all worked again within {seconds} s\n{self.shop.logs()}") from None
        self.back.append(moment - since)

    async def shared(self, *, seconds: float = 60.0) -> None:
        """Wait until each wanted worker has partitions, and every partition is with exactly one."""
        deadline = time.monotonic() + seconds
        while not self._is_shared():
            if time.monotonic() > deadline:
                raise AssertionError(f"partitions are not shared after {seconds} s\n{self.shop.logs()}")
            await asyncio.sleep(0.05)

    def _is_shared(self) -> bool:
        members = [one for one in self.shop.members.values() if one.role == "worker" and one.wanted]
        has = [member.has() for member in members]
        together = frozenset().union(*has)
        return all(has) and together == self.moving.partitions and sum(map(len, has)) == len(together)

    async def settles(self, since: float, *, seconds: float = 60.0) -> None:
        """Wait until partitions are shared and each has committed; note the pause of each since then."""
        await self.shared(seconds=seconds)
        settled = await self.moving.all_after(max(since, time.monotonic()))
        self.back.append(settled - since)
        self.pauses += self.moving.pauses(since, settled).values()

    async def dies(self, member: Member, before: int, *, seconds: float = 60.0) -> int:
        """Wait until the member has ended more than `before` times; the code of the first end after them."""
        deadline = time.monotonic() + seconds
        while len(member.exits) <= before:
            if time.monotonic() > deadline:
                raise AssertionError(f"{member.name} lives after {seconds} s\n{member.tail()}")
            await asyncio.sleep(0.02)
        return member.exits[before]

    def expect(self, is_so: bool, otherwise: str) -> None:
        """Note what is not as promised; the case goes on."""
        if not is_so:
            self.wrong.append(otherwise)

    @contextmanager
    def going_on(self, what: str) -> Iterator[None]:
        """Note what `what` leaves broken, and go on: one of a hundred faults does not spare the others."""
        try:
            yield
        except AssertionError as error:
            self.wrong.append(f"{what} at {self.load.sent}: {str(error)[:500]}")

    async def finish(self) -> Outcome:
        """Let the load end and all of it become visible, and compare that with the oracle."""
        if self.loading.done():
            self.loading.result()
            self.wrong.append("the records were over before the faults")
        self.over.set()
        await self.loading
        seconds = time.monotonic() - self.began
        # An hour's backlog may take longer than a minute's.
        await self.shop.caught_up(seconds=max(DRAIN_SECONDS, seconds))
        drained = time.monotonic() - self.began - seconds
        ends = sum(len(member.unasked) for member in self.shop.members.values())
        # The oracle takes minutes of this process, which is also the proxy: members that lived on would lose their
        # sessions and end, again and again.
        await self.shop.close()
        figures = {
            f"{what}_{name}_s": value
            for what, times in (("back", self.back), ("pause", self.pauses))
            for name, value in (spread(times) if times else {}).items()
            if name != "n"
        }
        dossier = Dossier(
            application=self.shop.settings.application,
            partitions=self.shop.settings.partitions,
            stores=self.shop.stores,
            truth=self.truth,
            sent=self.load.sent,
            seconds=round(seconds, 1),
            drain_seconds=round(drained, 1),
            times=self.times,
            figures={**figures, **self.figures, "ended_by_themselves": ends},
            wrong=self.wrong,
        )
        await asyncio.to_thread(dossier.write, self.stage.directory)
        if isinstance(self.load, Loading) and self.load.sent > MOST_RECORDS:
            finding = await Finding.by_lot(self.shop.settings, dossier)
        else:
            finding = await Finding.of(self.shop, sent=self.load.sent, seconds=seconds, drained=drained)
        return Outcome.of(dossier, finding)


@asynccontextmanager
async def playing(
    stage: Stage,
    times: int,
    *,
    seed: int = 1,
    rate: float = 0.0,
    workers: int = 1,
    partitions: int = PARTITIONS,
    change: Change = lambda records: records,
    env: Mapping[str, str] | None = None,
    long: float = 0.0,
    window_ms: int = ATTRIBUTION_WINDOW_MS,
) -> AsyncIterator[Play]:
    """An installation at work, under load until `Play.finish`; nothing of it runs afterwards. `env`: for all.

    `window_ms`: all stores' attribution window.

    `long`: it may last so many seconds, and be more than can be verified whole: twenty shops instead of three, many
    people, and the load is a process of its own.
    """
    rate = rate or stage.rate
    events = int(rate * (long or LONGEST_SECONDS))
    days = (long or LONGEST_SECONDS) * LIFE / DAY_SECONDS
    if long:
        history = many_shops(events, people=events // RECORDS_A_PERSON, days=days, seed=seed)
    else:
        history = large_history(events, people=4_000, days=days, seed=seed)
    stores = {
        name: msgspec.structs.replace(store, attribution_window_ms=window_ms)
        for name, store in history.scenario.settings().items()
    }
    directory = stage.directory / "shop"
    async with stage.installation(directory, stores, partitions=partitions, env=env or {}) as shop:
        crew = [await shop.worker(str(number)) for number in range(workers)]
        sink = await shop.sink()
        load: Load | Loading = shop.load(change(history.records))
        if long:
            load = Loading(shop.settings, history.scenario, stamped_at_ms=history.scenario.end_ms)
        over = asyncio.Event()
        began = time.monotonic()
        loading = asyncio.create_task(load.run(rate=rate, enough=over.is_set))
        try:
            async with Moving(shop.settings) as moving:
                await moving.all_after(began)
                await sink.works()
                chance = random.Random(seed)
                yield Play(
                    stage, shop, load, moving, chance, times, crew, sink, began, loading, over, history
                )
        finally:
            loading.cancel()
            await asyncio.wait([loading])


Fault = Callable[[Play], Awaitable[None]]


class Conditions(TypedDict, total=False):
    """What a case may want otherwise than `playing` has it."""

    rate: float
    workers: int
    partitions: int
    change: Change
    env: Mapping[str, str]
    long: float
    window_ms: int


async def under_load(stage: Stage, times: int, fault: Fault, **conditions: Unpack[Conditions]) -> Outcome:
    """Do `fault` to an installation at work, then let it finish and compare all of it with the oracle."""
    async with playing(stage, times, **conditions) as play:
        await fault(play)
        return await play.finish()
