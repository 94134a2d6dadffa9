"""What an event loads and writes does not grow with what its person did before: counted in keys and bytes, not time."""

import json

import pytest

from processors.pipeline import Pipeline, make_factory
from schemas.epoch import Record
from schemas.stores import Store
from streams.engine.state.memory import MemoryStore

NOW = 1_767_225_600_000  # 2026-01-01
WEEK_MS = 7 * 86_400_000


class CountingStore(MemoryStore):
    """Counts what is read."""

    reads = 0

    def get(self, key: bytes) -> bytes | None:
        self.reads += 1
        return super().get(key)


def history(person: str, events: int) -> list[tuple[str, Record]]:
    """A week of one person: an impression of eight products, a click and an add, in sessions of ten events."""
    found = []
    for number in range(events):
        at = NOW + number * WEEK_MS // events
        body = {
            "event_id": f"{person}-{number}",
            "store_id": "acme",
            "occurred_at": at,
            "customer_id": person,
        }
        body["session_id"] = f"{person}-s{number // 10}"
        product = f"p{number * 7 % 200}"
        if number % 3 == 0:
            topic = "impression"
            shown = [{"product_id": f"p{(number * 7 + i) % 200}"} for i in range(8)]
            body |= {"type": "shown", "widget_id": f"w{number % 4}", "products": shown}
        elif number % 3 == 1:
            topic, body = "click", body | {"type": "detail_viewed", "product_id": product}
        else:
            topic, body = "cart", body | {"type": "added", "product_id": product, "quantity": 1}
        found.append((topic, Record(number, at, None, json.dumps(body).encode())))
    return found


@pytest.mark.parametrize("topic", ["impression", "click", "cart"])
def test_one_more_event_writes_as_little_after_ten_thousand_as_after_two_hundred(topic: str) -> None:
    written = {}
    for person, events in (("light", 200), ("heavy", 10_000)):
        store = CountingStore(0)
        pipeline = make_factory({"acme": Store()}, partitions=1)(0, store, None)
        assert isinstance(pipeline, Pipeline)
        past = history(person, events)
        last = next(number for number in range(events - 1, 0, -1) if past[number][0] == topic)
        for number, (name, record) in enumerate(past[:last]):
            pipeline.observe(now_ms=record.timestamp, idle=frozenset())
            pipeline.process(name, [record])
            if number % 50 == 49:
                epoch = pipeline.flush()
                assert epoch is not None
                pending = store.begin(epoch, number=number + 1, offsets={})
                store.commit(pending, store.changelog_offset + len(pending.records))
        pipeline.flush()
        store.reads = 0
        pipeline.process(*(past[last][0], [past[last][1]]))
        epoch = pipeline.flush()
        assert epoch is not None
        values = [stored.value for stored in epoch.state.values() if stored is not None]
        written[person] = len(values), sum(map(len, values)), store.reads
    light, heavy = written["light"], written["heavy"]
    assert heavy[0] <= light[0] + 1  # keys: at most a segment that has just been sealed
    assert heavy[1] <= 2 * light[1] + 16_384  # bytes: at most that segment, and where the sealed ones are
    assert heavy[2] <= light[2] + 2  # values read
