"""What a seed stands for: a world, how it is cut into partitions and processes, and how rough the time will be."""

from dataclasses import dataclass
from random import Random
from typing import Any

from schemas.topics import Topics
from streams.engine.options import EngineOptions
from tests.simulation.stage import Fate, Process
from tests.worlds import World, random_world

TOPICS = Topics()
# Ten ticks an epoch, as in production, were a third of a run's time where epochs are short, and are no step of I/O.
TICK_MS = 100


@dataclass(frozen=True)
class Plan:
    """Everything that is decided before the first step."""

    world: World
    late: bool
    misrouted: float
    """Share of the records that come under a wrong key."""
    partitions: int
    workers: int
    sinks: int
    fault_rate: float
    """Of each step of I/O."""
    disturbances: float
    """Mean seconds between two kills, rebalances, evictions, pauses, compactions from outside; 0: none."""
    spread_s: float
    """Over how long the records come."""
    options: dict[str, Any]
    batch_max_wait_ms: int
    batch_max_rows: int
    skews_ms: tuple[int, ...]

    def engine_options(self, slot: str) -> EngineOptions:
        """Of the worker of a slot."""
        return EngineOptions(
            topics=TOPICS,
            partitions=self.partitions,
            instance=slot,
            kafka={},
            epoch_ticks=max(2, self.options["epoch_interval_ms"] // TICK_MS),
            **self.options,
        )


def make_plan(seed: int, *, quiet: bool = False, stories: int = 14) -> Plan:
    """The plan of a seed. `quiet`: a single short history for crash points, no other disturbance."""
    chance = Random(seed)
    late = not quiet and chance.random() < 0.2
    poison = chance.random() < 0.3
    # All subjects and definitions, over months.
    metrics = not late and chance.random() < 0.3
    # Devices log in, some of them two customers.
    identity = chance.random() < 0.3
    return Plan(
        world=random_world(
            seed,
            most_stories=stories,
            poison=poison,
            late=late,
            identity=identity,
            metrics=metrics,
        ),
        late=late,
        misrouted=chance.choice((0.0, 0.0, 0.1, 0.4)),
        partitions=chance.choice((1, 2, 2, 3)),
        workers=1 if quiet else chance.choice((1, 2, 2, 3)),
        sinks=1 if quiet else chance.choice((1, 1, 2)),
        fault_rate=0.0 if quiet else chance.choice((0.0, 0.005, 0.01, 0.03, 0.08)),
        disturbances=0.0 if quiet else chance.choice((0.0, 8.0, 4.0, 2.0)),
        spread_s=chance.choice((0.1, 1.0, 4.0)) if quiet else chance.choice((0.1, 1.0, 4.0, 12.0)),
        options={
            "epoch_interval_ms": chance.choice((50, 200, 500)) if not quiet else 500,
            "epoch_max_bytes": chance.choice((4_000, 20_000, 16 * 1_048_576)),
            "idle_after_ms": chance.choice((200, 1_000, 5_000)),
            "alignment_ms": chance.choice((3_600_000, 3_600_000, 60_000)),
            "chunk_max_records": chance.choice((3, 2_000)),
            "expire_step": chance.choice((1, 5, 2_000)),
        },
        batch_max_wait_ms=chance.choice((20, 200, 500)),
        batch_max_rows=chance.choice((3, 20, 50_000)),
        skews_ms=tuple(chance.choice((0, 0, -3_600_000, 3_600_000, 600_000)) for _ in range(3)),
    )


class RandomFates:
    """Each step of I/O meets a fault with the same chance, until `calm`."""

    _ANY = (Fate.CRASH_BEFORE, Fate.CRASH_AFTER, Fate.SLOW)
    _MAY_FAIL = (*_ANY, Fate.FAIL, Fate.LOSE_ANSWER, Fate.LOSE_ANSWER)

    def __init__(self, chance: Random, rate: float) -> None:
        self._chance = chance
        self.rate = rate

    def choose(self, step: int, process: Process, what: str, *, may_fail: bool) -> Fate:
        """See Fates."""
        if self.rate and self._chance.random() < self.rate:
            return self._chance.choice(self._MAY_FAIL if may_fail else self._ANY)
        return Fate.PROCEED


class CrashAt:
    """One crash at one step, and nothing else."""

    def __init__(self, step: int, *, after: bool) -> None:
        self._step = step
        self._fate = Fate.CRASH_AFTER if after else Fate.CRASH_BEFORE

    def choose(self, step: int, process: Process, what: str, *, may_fail: bool) -> Fate:
        """See Fates."""
        return self._fate if step == self._step else Fate.PROCEED
