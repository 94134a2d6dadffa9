"""What to measure and how large, as a value; what came of it."""

from typing import Any

import msgspec
from msgspec import Struct

from bench.peer import PeerResult

NAMES = (
    "limit",
    "faust",
    "processors",
    "worker",
    "sink",
    "together",
    "latency",
    "recovery",
    "poison",
    "person",
    "report",
)

PREFIX = "shop."


class Plan(Struct, frozen=True, kw_only=True):
    """Sizes of everything. Times in seconds, rates in events a second."""

    only: tuple[str, ...] = NAMES
    events: int = 400_000
    people: int = 20_000
    days: float = 7
    partitions: int = 8
    repeat: int = 3
    faust_events: int = 60_000
    latency_rate: float = 5_000
    latency_s: float = 30
    latency_warm_up_s: float = 20
    probes_a_second: float = 40
    crowd_people: int = 200_000
    crowd_traffic_rate: float = 2_000
    crowd_traffic_s: float = 20
    poison_events: int = 100_000
    poison_turns: int = 5
    person_large: int = 10_000
    person_repetitions: int = 8
    report_events: int = 10_000_000
    report_runs: int = 40

    @property
    def is_whole(self) -> bool:
        """As published: everything, in full size."""
        return self == Plan()


def quick(plan: Plan) -> Plan:
    """The same in a minute: to see that it works, not to quote."""
    return msgspec.structs.replace(
        plan,
        events=40_000, people=2_000, repeat=1, faust_events=10_000, latency_s=8, latency_warm_up_s=4,
        latency_rate=1_000, crowd_people=5_000, crowd_traffic_s=5, poison_events=20_000,
        poison_turns=1, person_large=1_000, person_repetitions=2,
        report_events=1_000_000, report_runs=10,
    )  # fmt: skip


class Row(Struct, kw_only=True):
    """A line of the table of throughput."""

    name: str
    what: str
    result: PeerResult
    runs: list[float] = []
    """Events/s of each repetition; the line is the median one."""
    unit: str = "events"


class Figure(Struct, kw_only=True):
    """One number with what was wanted of it, and how it was taken."""

    name: str
    value: float
    unit: str
    goal: str = ""
    how: str = ""


class Outcome(Struct, kw_only=True):
    """Everything that was measured."""

    rows: list[Row] = []
    figures: list[Figure] = []
    detail: dict[str, Any] = {}

    def row(self, name: str) -> Row | None:
        """The line of this name, if it was measured."""
        return next((row for row in self.rows if row.name == name), None)
