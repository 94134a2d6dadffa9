"""Scenarios and readers the simulator's tests share."""

from collections.abc import Iterable

import orjson

from deploy.simulator import (
    FOUR_SHOPS,
    Habits,
    Rates,
    Scenario,
    SimRecord,
    StoreSpec,
    Truth,
    history,
    new_truth,
)

END_MS = 1_772_366_400_000  # 2026-03-01T12:00Z
STAMP_MS = END_MS + 60_000

# Everything that can go wrong does, often; guests stay guests.
ROUGH = Rates(
    duplicates=0.05, disorder=0.2, late=0.02, too_late=0.01, poison=0.05, test_traffic=0.03, misrouted=0.01
)
BUSY = Habits(
    refund_rate=0.3, cancel_rate=0.15, new_version_rate=0.2, capture_again_rate=0.1, over_refund_rate=0.4
)
WORLD = Scenario.ending(END_MS, days=10, stores=FOUR_SHOPS, habits=BUSY, rates=ROUGH)
SMALL = Scenario.ending(END_MS, days=5, stores=(StoreSpec(store_id="acme", people=200),))


def play(scenario: Scenario) -> tuple[list[SimRecord], Truth]:
    """All records of the history, and its truth."""
    truth = new_truth(scenario)
    return list(history(scenario, truth, stamped_at_ms=STAMP_MS)), truth


def objects(records: Iterable[SimRecord]) -> list[dict[str, object]]:
    """The values that are JSON objects."""
    found = []
    for record in records:
        try:
            value = orjson.loads(record.value)
        except orjson.JSONDecodeError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found
