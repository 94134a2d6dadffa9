"""What a peer is told: one struct each, handed over as JSON. Instants in epoch ms, rates in records a second."""

from typing import Any

from msgspec import Struct

from schemas.topics import Topics

# Fixed, so that a bench of another day reads the same bytes: midnight UTC at the end of 2025-11-30.
END_MS = 1_764_547_200_000


class Task(Struct, frozen=True, kw_only=True):
    """Where the topics are."""

    bootstrap: str
    prefix: str
    partitions: int

    @property
    def topics(self) -> Topics:
        """The topics' names; the application's own are not asked for."""
        return Topics(self.prefix, "bench")


class LoadTask(Task, frozen=True, kw_only=True):
    """Write the history into the source topics. `poison`: see `the_history`."""

    events: int
    people: int
    days: float
    cache: str
    poison: float | None = None


class CrowdTask(Task, frozen=True, kw_only=True):
    """Write one visit of each of `people`."""

    people: int
    days: float


class LimitTask(Task, frozen=True, kw_only=True):
    """Read and parse all six source topics."""


class FaustTask(Task, frozen=True, kw_only=True):
    """Count `events` events by person with a stock agent and table."""

    events: int
    directory: str


class ProcessorsTask(Struct, frozen=True, kw_only=True):
    """Run the history through the processors, `slice_events` records of the log between two flushes."""

    events: int
    people: int
    days: float
    cache: str
    partitions: int
    slice_events: int = 20_000


class PersonTask(Struct, frozen=True, kw_only=True):
    """Compare people with `large` and with `small` events in the window."""

    small: int = 20
    large: int = 10_000
    people: int = 20
    repetitions: int = 8


class ProcessTask(Struct, frozen=True, kw_only=True):
    """Run a worker or a sink as it is, and keep an account of it in a file of JSON lines."""

    settings: dict[str, Any]
    account: str


class TrafficTask(Task, frozen=True, kw_only=True):
    """Make `seconds` of live traffic beforehand, then send it at an even pace."""

    people: int
    rate: float
    seconds: float


class ProbeTask(Task, frozen=True, kw_only=True):
    """Send `rate` probes a second and watch for their rows."""

    url: str
    database: str
    rate: float
    warm_up_s: float
    seconds: float
    poll_s: float = 0.2
    patience_s: float = 30.0
