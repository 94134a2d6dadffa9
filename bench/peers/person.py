"""What an event costs for a person with a long history beside one with a short one: the same visits, renamed.

Templates live through a week of visits. Large people get all of it, small ones only its last events; then both get
the *same* further visits, in epochs that alternate between the two, timed in CPU seconds of this thread with decode,
flush, encoding and the state store's part. So the two differ in their history and in nothing else.
"""

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import mean, median
from typing import Any, NamedTuple

import orjson

from bench.history import the_history
from bench.peer import PeerResult, Stopwatch, main
from bench.tasks import END_MS, PersonTask
from deploy.simulator.shop import Person, Shop
from deploy.simulator.visits import visit
from processors.pipeline import make_factory
from schemas.epoch import PartitionProcessor, Record
from schemas.stores import Store
from schemas.topics import DAY_MS, SOURCES
from streams.engine.state.memory import MemoryStore

VISIT_MS = 7_200_000  # what follows later than that belongs to no visit
STEPS = 8  # events of a visit that are measured one by one
WEEK_MS = 7 * DAY_MS - DAY_MS // 4
CATCH_UP_VISITS = 4
_IDS = (
    "event_id", "customer_id", "anonymous_id", "session_id", "order_id", "refund_id", "execution_id",
    "communication_id", "cart_id",
)  # fmt: skip


class Event(NamedTuple):
    """An event of a template, not yet anyone's."""

    topic: str
    at_ms: int
    key: bytes
    body: dict[str, Any]

    def of(self, name: str) -> tuple[str, Record]:
        """The same event of a person of this name: every id is theirs."""
        body = dict(self.body)
        for field in _IDS:
            if field in body:
                body[field] = f"{body[field]}{name}"
        body["occurred_at"] = self.at_ms
        # Keys end in a person's or an order's id.
        return self.topic, Record(0, self.at_ms + VISIT_MS, self.key + name.encode(), orjson.dumps(body))


class Template(NamedTuple):
    """A person's week, and the visits that are measured."""

    history: list[Event]
    visits: list[list[Event]]


def template(shop: Shop, person: Person, *, large: int, visits: int) -> Template:
    """`large` events over a week, then so many visits of at least one event."""
    drafts: list[list[Any]] = []
    count = 0
    while count < large or len(drafts) == 0:
        drafts.append([draft for draft in visit(shop, person) if draft.after_ms < VISIT_MS])
        count += len(drafts[-1])
    step = WEEK_MS // len(drafts)
    history = [
        event
        for number, visited in enumerate(drafts)
        for event in _events(shop, visited, END_MS - 7 * DAY_MS + number * step)
    ]
    history.sort(key=lambda event: event.at_ms)
    measured: list[list[Event]] = []
    at_ms = END_MS - DAY_MS // 8
    while len(measured) < visits:
        events = _events(shop, [d for d in visit(shop, person) if d.after_ms < VISIT_MS], at_ms)
        if len(events) >= STEPS:
            measured.append(events)
            at_ms += step
    return Template(history[-large:], measured)


def _events(shop: Shop, drafts: Sequence[Any], start_ms: int) -> list[Event]:
    events = []
    for draft in sorted(drafts, key=lambda draft: draft.after_ms):
        draft.body["event_id"] = shop.new_id("e")
        events.append(Event(draft.topic, start_ms + draft.after_ms, draft.key, draft.body))
    return events


class Bench:
    """One partition with all these people in it."""

    def __init__(self, stores: dict[str, Store]) -> None:
        self.factory = make_factory(stores, partitions=1)
        self.store = MemoryStore(0)
        self.processor: PartitionProcessor = self.factory(0, self.store, None)
        self.number = 0
        self.rows = 0
        self.report: bytes | None = None

    def restart(self) -> None:
        """Forget what is decoded: the next epoch has to load every person from the store."""
        meta = self.store.meta
        self.processor = self.factory(0, self.store, meta.processor if meta else None)
        if self.report is not None:
            self.processor.hear(0, self.report)

    def epoch(self, records: Sequence[tuple[str, Record]]) -> float:
        """One epoch with these records; CPU seconds of all of it."""
        by_topic: dict[str, list[Record]] = {}
        for topic, record in records:
            by_topic.setdefault(topic, []).append(record)
        began = time.thread_time()
        self.processor.observe(now_ms=END_MS + DAY_MS, idle=frozenset(SOURCES))
        for topic in SOURCES:
            if topic in by_topic:
                self.processor.process(topic, by_topic[topic])
        epoch = self.processor.flush()
        assert epoch is not None
        self.number += 1
        pending = self.store.begin(epoch, number=self.number, offsets={}, expired=())
        self.store.commit(pending, self.store.changelog_offset + len(pending.records))
        if epoch.report is not None:
            self.report = epoch.report
            self.processor.hear(0, epoch.report)
        spent = time.thread_time() - began
        self.rows = sum(len(rows) for rows in epoch.rows.values())
        return spent


class Pair:
    """CPU microseconds and rows an event, of people with a short history and of those with a long one, side by side."""

    def __init__(self) -> None:
        self.small: list[tuple[float, float]] = []
        self.large: list[tuple[float, float]] = []

    def told(self) -> dict[str, float]:
        """Medians over the epochs; the ratio of all CPU time beside the ratio of the medians, since a few dear epochs
        move only the first."""
        small, large = [us for us, _ in self.small], [us for us, _ in self.large]
        return {
            "epochs": len(small),
            "small_us": median(small),
            "large_us": median(large),
            "ratio": median(large) / median(small),
            "ratio_of_sums": sum(large) / sum(small),
            "small_rows": mean(rows for _, rows in self.small),
            "large_rows": mean(rows for _, rows in self.large),
        }


def run(task: PersonTask) -> PeerResult:
    """Build the people, then measure live epochs, catch-up epochs, and first epochs after a restart."""
    watch = Stopwatch()
    scenario = the_history(100_000, task.people, 7)
    shop = Shop(scenario, scenario.stores[0])
    kinds: dict[str, Callable[[Bench, Sequence[Template], range], Pair]] = {
        "live": partial(_one_by_one, restart=False),
        "after_restart": partial(_one_by_one, restart=True),
        "catch_up": _catch_up,
        "catch_up_no_orders": partial(_catch_up, with_orders=False),
        "catch_up_orders": partial(_catch_up, with_orders=True),
    }
    share = task.repetitions * CATCH_UP_VISITS
    groups = len(kinds) * share
    people = [
        template(shop, person, large=task.large, visits=groups) for person in shop.people[: task.people]
    ]
    bench = Bench(scenario.settings())
    _build(bench, people, task, groups)
    gc.collect()
    gc.freeze()
    gc.disable()
    told = {}
    for number, (name, measure) in enumerate(kinds.items()):
        visits = share if name.startswith("catch_up") else task.repetitions
        told[name] = measure(bench, people, range(number * share, number * share + visits)).told()
    gc.enable()
    return watch.result(sum(len(person.history) for person in people), **told)


def _build(bench: Bench, people: Sequence[Template], task: PersonTask, groups: int) -> None:
    """Everyone's history, in epochs of the order of time."""
    everyone: list[tuple[int, str, Record]] = []
    for index, person in enumerate(people):
        everyone += [(event.at_ms, *event.of(f"-L{index}")) for event in person.history]
        for group in range(groups):
            everyone += [
                (event.at_ms, *event.of(f"-S{group}-{index}")) for event in person.history[-task.small :]
            ]
    everyone.sort(key=lambda item: item[0])
    for at in range(0, len(everyone), 10_000):
        bench.epoch([(topic, record) for _, topic, record in everyone[at : at + 10_000]])


def _both(people: Sequence[Template], visit: int) -> Iterator[tuple[list[Event], str, str]]:
    """Each template's measured visit, and the names of those who live it: the small one of this visit, the large one."""
    for index, person in enumerate(people):
        yield person.visits[visit], f"-S{visit}-{index}", f"-L{index}"


def _one_by_one(bench: Bench, people: Sequence[Template], visits: range, *, restart: bool) -> Pair:
    """Epochs with one event of each person."""
    pair = Pair()
    for number in visits:
        lived = list(_both(people, number))
        for step in range(STEPS):
            small = [events[step].of(name) for events, name, _ in lived]
            large = [events[step].of(name) for events, _, name in lived]
            _measure(bench, pair, small, large, swapped=bool(step % 2), restart=restart)
    return pair


def _catch_up(
    bench: Bench, people: Sequence[Template], visits: range, *, with_orders: bool | None = None
) -> Pair:
    """Epochs with whole visits, several of each large person, as many in all of small ones.

    `with_orders`: only visits that have, or that have not, an order in them.
    """
    pair = Pair()
    for first in range(visits.start, visits.stop, CATCH_UP_VISITS):
        small: list[tuple[str, Record]] = []
        large: list[tuple[str, Record]] = []
        for number in range(first, first + CATCH_UP_VISITS):
            for events, small_name, large_name in _both(people, number):
                if with_orders is not None and with_orders != any(event.topic == "order" for event in events):
                    continue
                small += [event.of(small_name) for event in events]
                large += [event.of(large_name) for event in events]
        _measure(bench, pair, small, large, swapped=bool(len(pair.small) % 2))
    return pair


def _measure(
    bench: Bench,
    pair: Pair,
    small: list[tuple[str, Record]],
    large: list[tuple[str, Record]],
    *,
    swapped: bool,
    restart: bool = False,
) -> None:
    """One epoch of each kind, neighbours in time, the order alternating."""
    turns = [(pair.small, small), (pair.large, large)]
    for told, records in reversed(turns) if swapped else turns:
        if restart:
            bench.restart()
        spent = bench.epoch(records)
        told.append((spent * 1e6 / len(records), bench.rows / len(records)))
        gc.collect(1)


if __name__ == "__main__":
    main(PersonTask, run)
