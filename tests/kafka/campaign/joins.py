"""Two workers; joins, stops and kills under load: exact, and how long a partition stands still for each."""

import asyncio
import random
import time
from pathlib import Path

from msgspec import Struct

from tests.kafka.campaign.kills import spread
from tests.kafka.campaign.load import Load
from tests.kafka.campaign.moving import Moving
from tests.kafka.campaign.report import Finding, progress, table
from tests.kafka.campaign.shops import DAY_SECONDS, large_history
from tests.kafka.pipeline_kit import Installation, installation

JOIN, STOP, KILL, RESTART = "join", "stop", "kill", "kill and restart"
SETTLE_SECONDS = 90.0
SLOTS = ("0", "1")
CYCLE_SECONDS = 90


class Event(Struct, kw_only=True):
    """One thing that happened to the group. Pauses in seconds: longest times without a commit that it caused."""

    kind: str
    slot: str
    at_event: int
    settled_seconds: float
    """Until every partition was worked on and had committed."""
    standstill: float
    """No partition of the group moved."""
    partition_pauses: list[float]
    """For each partition, by number."""


class Joins(Struct, kw_only=True):
    """The result."""

    events: list[Event]
    group_pause: dict[str, dict[str, float]]
    """Kind of event (and `all`) -> p50, p95, max of the standstill of the whole group."""
    partition_pause: dict[str, dict[str, float]]
    """Likewise, over every partition of every event."""
    worst_partition_pause: dict[str, dict[str, float]]
    """Likewise, over the slowest partition of every event."""
    unasked_exits: dict[str, list[int]]
    finding: Finding


async def run_joins(
    bootstrap: str,
    url: str,
    directory: Path,
    *,
    cycles: int,
    rate: float,
    life: float,
    people: int,
    partitions: int,
    seed: int,
) -> Joins:
    """`cycles` times: one of the two is stopped, killed, or killed and restarted; then both are there again."""
    # Longer than cycles take; what is left is not sent.
    seconds = cycles * CYCLE_SECONDS
    days = seconds * life / DAY_SECONDS
    history = large_history(int(seconds * rate), people=people, days=days, seed=seed)
    chance = random.Random(seed)
    async with installation(
        bootstrap, url, directory, history.scenario.settings(), partitions=partitions
    ) as shop:
        for slot in SLOTS:
            await shop.worker(slot)
        await shop.sink()
        load, over = shop.load(history.records), asyncio.Event()
        loading = asyncio.create_task(load.run(rate=rate, enough=over.is_set))
        began = time.monotonic()
        async with Moving(shop.settings) as moving:
            happened = _Happenings(shop, moving, load)
            await happened.settled(began)
            telling = asyncio.create_task(
                progress(lambda: f"{load.sent} sent, {len(happened.events)} events")
            )
            for _ in range(cycles):
                await happened.cycle(chance)
            assert not loading.done(), (
                "the history was over before the cycles; give more people or a lower rate"
            )
            over.set()
            await loading
            telling.cancel()
        finding = await Finding.of(shop, sent=load.sent, seconds=time.monotonic() - began)
        events = happened.events
        kinds = sorted({event.kind for event in events})
        chosen = {
            kind: [event for event in events if kind in ("all", event.kind)] for kind in ("all", *kinds)
        }
        return Joins(
            events=events,
            group_pause={kind: spread(event.standstill for event in some) for kind, some in chosen.items()},
            partition_pause={
                kind: spread(pause for event in some for pause in event.partition_pauses)
                for kind, some in chosen.items()
            },
            worst_partition_pause={
                kind: spread(max(event.partition_pauses) for event in some) for kind, some in chosen.items()
            },
            unasked_exits={member.name: member.unasked for member in shop.members.values()},
            finding=finding,
        )


class _Happenings:
    """Does things to the group and notes what they cost."""

    def __init__(self, shop: Installation, moving: Moving, load: Load) -> None:
        self.events: list[Event] = []
        self._shop = shop
        self._moving = moving
        self._load = load

    async def cycle(self, chance: random.Random) -> None:
        """Something to one of the two at a random moment, then both again."""
        slot = chance.choice(SLOTS)
        kind = chance.choice((STOP, KILL, RESTART))
        await asyncio.sleep(chance.uniform(0.0, 3.0))  # a random moment is the point
        member = self._shop.members[f"worker-{slot}"]
        began, at_event = time.monotonic(), self._load.sent
        if kind == RESTART:
            await member.replaced()
        else:
            await member.leave(kill=kind == KILL)
        await self._note(kind, slot, began, at_event)
        if kind == RESTART:
            return
        await asyncio.sleep(chance.uniform(0.0, 3.0))
        began, at_event = time.monotonic(), self._load.sent
        await self._shop.worker(slot)
        await self._note(JOIN, slot, began, at_event)

    async def _note(self, kind: str, slot: str, began: float, at_event: int) -> None:
        settled = await self.settled(began)
        pauses = self._moving.pauses(began, settled)
        self.events.append(
            Event(
                kind=kind,
                slot=slot,
                at_event=at_event,
                settled_seconds=round(settled - began, 2),
                standstill=round(self._moving.standstill(began, settled), 2),
                partition_pauses=[round(pauses[number], 2) for number in sorted(pauses)],
            )
        )

    async def settled(self, began: float) -> float:
        """Wait until the workers that are wanted share all partitions, and each partition has committed; when."""
        async with asyncio.timeout(SETTLE_SECONDS):
            while not self._shared():
                await asyncio.sleep(0.05)
        return await self._moving.all_after(max(began, time.monotonic()))

    def _shared(self) -> bool:
        workers = [
            member for member in self._shop.members.values() if member.role == "worker" and member.wanted
        ]
        shares = [member.has() for member in workers]
        together = frozenset().union(*shares)
        return all(shares) and together == self._moving.partitions and sum(map(len, shares)) == len(together)


def show(result: Joins) -> str:
    """The result as a table."""
    times = ("n", "p50", "p95", "max")
    rows = []
    for kind in result.group_pause:
        for name, found in (
            ("whole group stands still", result.group_pause[kind]),
            ("a partition", result.partition_pause[kind]),
            ("the slowest partition", result.worst_partition_pause[kind]),
        ):
            rows.append((f"{kind}: {name}", *(found[key] for key in times)))
    head = f"{len(result.events)} events; unasked exits {result.unasked_exits}"
    return "\n".join([head, table(("pause, seconds", *times), rows), result.finding.show()])
