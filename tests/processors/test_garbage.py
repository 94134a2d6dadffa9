"""People, orders and epochs leave no cycles behind: what is let go of is free at once, and collections may be rare."""

import gc

import pytest

from deploy.simulator import Scenario, history, new_truth
from processors import shop
from processors.pipeline import make_factory
from schemas.epoch import Record
from streams.engine.state.memory import MemoryStore

END_MS = 1_764_547_200_000


def test_people_that_are_let_go_of_leave_nothing_for_the_garbage_collector(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shop, "PEOPLE_BYTES_IN_MEMORY", 20_000)
    scenario = Scenario.for_events(4_000, people=200, end_ms=END_MS, days=7)
    records = list(history(scenario, new_truth(scenario), stamped_at_ms=END_MS))
    store = MemoryStore(0)
    pipeline = make_factory(scenario.settings(), partitions=1)(0, store, None)
    gc.collect()
    gc.disable()
    try:
        most = 0
        for number, start in enumerate(range(0, len(records), 500), start=1):
            pipeline.observe(now_ms=END_MS, idle=frozenset())
            for offset, one in enumerate(records[start : start + 500], start=start):
                pipeline.process(one.topic, [Record(offset, one.timestamp_ms, one.key, one.value)])
            epoch = pipeline.flush()
            assert epoch is not None
            pending = store.begin(epoch, number=number, offsets={}, expired=())
            store.commit(pending, store.changelog_offset + len(pending.records))
            most = max(most, len(pipeline._shop.people))  # type: ignore[attr-defined]
        assert len(pipeline._shop.people) < most  # type: ignore[attr-defined]
        assert gc.collect() < 10
    finally:
        gc.enable()
