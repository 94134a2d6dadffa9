"""Figure 8: a large state. Memory while it grows and under traffic; then kill -9, with the local state and without."""

import asyncio
import random
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from bench import accounts
from bench.groups import Groups
from bench.history import STORE
from bench.peers.crowd import crowd_scenario
from bench.plan import Figure, Outcome, Plan
from bench.producing import Producing, now_ms
from bench.stack import PeerFailed, Stack
from bench.state_keys import state_keys
from bench.tasks import END_MS, CrowdTask
from deploy.simulator import SimRecord, StoreSpec
from deploy.simulator.shop import Shop
from streams.settings import Settings

PREFIX = "crowd."
SAMPLE_S = 0.5
TICK_S = 0.05
BACK_S = 180.0
TRAFFIC_WHILE_DOWN = 500.0
COLD_GOAL_S = 60.0
COLD_GOAL_KEYS = 1_000_000


class Memory:
    """RSS of a process, sampled: (seconds of the monotonic clock, MB)."""

    def __init__(self, stack: Stack, label: str) -> None:
        self._stack = stack
        self._label = label
        self.samples: list[tuple[float, float]] = []

    async def sample(self) -> None:
        """Until cancelled."""
        while True:
            self.samples.append((time.monotonic(), self._stack.usage(self._label).rss_mb))
            await asyncio.sleep(SAMPLE_S)

    def since(self, moment: float) -> list[tuple[float, float]]:
        """The samples from a moment on."""
        return [sample for sample in self.samples if sample[0] >= moment]


def slope(samples: list[tuple[float, float]]) -> float:
    """MB a minute, by least squares."""
    if len(samples) < 2:
        return 0.0
    mean_x = sum(x for x, _ in samples) / len(samples)
    mean_y = sum(y for _, y in samples) / len(samples)
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    return 60 * sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread


class Nudges:
    """Page views of people of the crowd at an even pace, so that a restarted worker has something to process."""

    def __init__(self, producing: Producing, shop: Shop, people: int) -> None:
        self._producing = producing
        self._shop = shop
        self._people = people
        self._random = random.Random(0)
        self._number = 0
        self._run = f"n{time.time_ns():x}"

    def make(self, count: int) -> list[SimRecord]:
        """The next ones, all just after the crowd's week."""
        made = []
        for _ in range(count):
            self._number += 1
            person = self._shop.customer_id(self._random.randrange(self._people))
            body = {
                "event_id": f"{self._run}-{self._number}",
                "type": "activity",
                "store_id": STORE,
                "occurred_at": END_MS + self._number // 10,
                "customer_id": person,
                "session_id": f"{self._run}-{person}",
            }
            made.append(SimRecord("session", self._shop.key(person), orjson.dumps(body), now_ms()))
        return made

    async def send(self, rate: float, seconds: float | None = None) -> None:
        """For so long, or until cancelled."""
        began, sent = time.monotonic(), 0
        while seconds is None or time.monotonic() - began < seconds:
            due = int((time.monotonic() - began) * rate) - sent
            await self._producing.write(self.make(due))
            await self._producing.push()
            sent += due
            await asyncio.sleep(TICK_S)


@asynccontextmanager
async def background(work: Any) -> AsyncIterator[None]:
    """Something that goes on for the length of a block; what it raised is raised at the end."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
    if not task.cancelled():
        task.result()


async def recovery(stack: Stack, groups: Groups, plan: Plan, outcome: Outcome) -> None:
    """Load the crowd, keep it busy, kill the worker twice."""
    settings = stack.settings("crowd", prefix=PREFIX, partitions=plan.partitions)
    await stack.make_topics(settings)
    place: dict[str, Any] = {
        "bootstrap": stack.bootstrap,
        "prefix": PREFIX,
        "partitions": plan.partitions,
    }
    crowd = await stack.run_peer("crowd", CrowdTask(people=plan.crowd_people, days=plan.days, **place))
    ends = await groups.ends(settings.topics.sources, plan.partitions)
    label, account = await stack.start_process("worker", settings)
    memory = Memory(stack, label)
    shop = Shop(crowd_scenario(plan.crowd_people, plan.days), StoreSpec(store_id=STORE, people=1))
    async with Producing(stack.bootstrap, settings.topics, plan.partitions) as producing:
        nudges = Nudges(producing, shop, plan.crowd_people)
        async with background(memory.sample()):
            began = time.monotonic()
            await groups.until_at(settings.application, ends)
            loaded = time.monotonic()
            await nudges.send(plan.crowd_traffic_rate, plan.crowd_traffic_s)
        _tell_memory(outcome, plan, memory, began, loaded, crowd.events)
        async with background(nudges.send(TRAFFIC_WHILE_DOWN)):
            warm, label, account = await _kill_and_restart(stack, settings, label, wipe=False)
            cold, label, account = await _kill_and_restart(stack, settings, label, wipe=True)
    await stack.stop_process(label, account)
    state = await state_keys(stack.bootstrap, settings.topics.changelog, plan.partitions)
    disk_mb = sum(path.stat().st_size for path in settings.state_dir.rglob("*") if path.is_file()) / 1_048_576
    outcome.detail["recovery"] = {
        "events": crowd.events,
        "warm": warm,
        "cold": cold,
        "state_on_disk_mb": disk_mb,
        "keys": state.keys,
        "seen_ids": state.seen,
    }
    cold_goal = f"<= {COLD_GOAL_S:.0f} s for {COLD_GOAL_KEYS:,} keys"
    for name, told, goal in (
        ("warm local store", warm, "<= 10 s"),
        ("state directory lost", cold, cold_goal),
    ):
        how = (
            f"kill -9 to every partition processing, {plan.crowd_people:,} people, {crowd.events:,} events:"
            f" {state.keys:,} keys and {state.seen:,} seen ids; {told['restored_records']:,.0f} changelog records read;"
            f" first event processed after {told['first_chunk_s']:.1f} s"
        )
        figure = Figure(name=f"restart, {name}", value=told["ready_s"], unit="s", goal=goal, how=how)
        outcome.figures.append(figure)


def _tell_memory(
    outcome: Outcome, plan: Plan, memory: Memory, began: float, loaded: float, events: int
) -> None:
    """RSS when everyone is loaded and after traffic over all of them, and how it grew in the end of each."""
    loading = [sample for sample in memory.since(began) if sample[0] <= loaded]
    traffic = memory.since(loaded + plan.crowd_traffic_s / 4)
    late = loading[len(loading) // 2 :]
    how = f"{plan.crowd_people:,} people, {events:,} events in {loaded - began:.0f} s; RSS sampled every half second"
    beside = f"{how}; then {plan.crowd_traffic_rate:,.0f} events/s over all of them for {plan.crowd_traffic_s:.0f} s"
    peak = max(mb for _, mb in memory.samples)
    outcome.figures += [
        Figure(name="worker memory, state loaded", value=loading[-1][1], unit="MB", goal="<= 600", how=how),
        Figure(name="worker memory, highest", value=peak, unit="MB", goal="<= 600", how=beside),
        Figure(
            name="worker memory, growth in the second half of the load",
            value=slope(late),
            unit="MB/min",
            how=how,
        ),
        Figure(
            name="worker memory, growth under traffic",
            value=slope(traffic),
            unit="MB/min",
            goal="flat",
            how=beside,
        ),
    ]
    outcome.detail["memory"] = {
        "load_events_per_s": events / (loaded - began),
        "loading": [[round(at - began, 1), round(mb, 1)] for at, mb in loading],
        "traffic": [[round(at - began, 1), round(mb, 1)] for at, mb in memory.since(loaded)],
    }


async def _kill_and_restart(
    stack: Stack, settings: Settings, label: str, *, wipe: bool
) -> tuple[dict[str, float], str, Path]:
    """kill -9, start again at once, and wait until it processes."""
    killed = time.monotonic()
    stack.supervisor.kill(label)
    await stack.supervisor.exited(label)
    if wipe:
        await asyncio.to_thread(shutil.rmtree, settings.state_dir)
    label, account = await stack.start_process("worker", settings)
    deadline = time.monotonic() + BACK_S
    while not (first := accounts.moments(account, "first_chunk")):
        if time.monotonic() > deadline:
            raise PeerFailed(f"{label}: ready, but nothing was processed within {BACK_S:.0f} s")
        await asyncio.sleep(TICK_S)
    restored = accounts.moments(account, "restored")
    told = {
        "ready_s": accounts.moments(account, "ready")[0]["at"] - killed,
        "first_chunk_s": first[0]["at"] - killed,
        "restored_records": sum(line["records"] for line in restored),
        "slowest_restore_s": max(line["seconds"] for line in restored),
    }
    return told, label, account
