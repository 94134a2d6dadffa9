"""The events of the bench: the simulator's default mix, of a fixed week, so that any two benches read the same bytes."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench.tasks import END_MS
from deploy.simulator import Scenario, SimRecord, cached_history

STORE = "acme"


def the_history(events: int, people: int, days: float, *, poison: float | None = None) -> Scenario:
    """About `events` records (within 5 percent) by `people` people of one store. `poison`: another share of bad ones."""
    scenario = Scenario.for_events(events, people=people, end_ms=END_MS, days=days)
    if poison is None:
        return scenario
    return msgspec.structs.replace(scenario, rates=msgspec.structs.replace(scenario.rates, poison=poison))


def records_of(
    events: int, people: int, days: float, *, cache: Path, stamped_at_ms: int
) -> Iterator[SimRecord]:
    """The records in the order of their arrival, from the cache if they are there."""
    records, _ = cached_history(the_history(events, people, days), cache, stamped_at_ms=stamped_at_ms)
    return records
