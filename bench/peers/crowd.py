"""Writes one visit of each of many people, spread over days: a state of so many active people, all known customers."""

from collections import defaultdict
from collections.abc import Iterator

from bench.history import STORE
from bench.peer import PeerResult, Stopwatch, main
from bench.producing import Producing, now_ms
from bench.tasks import END_MS, CrowdTask
from deploy.simulator import Habits, Scenario, SimRecord, StoreSpec
from deploy.simulator.history import stamp
from deploy.simulator.scenario import HOUR_MS
from deploy.simulator.shop import Shop
from deploy.simulator.visits import visit


def crowd_scenario(people: int, days: float) -> Scenario:
    """Everybody is a customer from the start, so that anyone can name them: `Shop.customer_id`."""
    return Scenario.ending(
        END_MS, days=days, stores=(StoreSpec(store_id=STORE, people=people),), habits=Habits(known_share=1.0)
    )


def crowd(scenario: Scenario, *, stamped_at_ms: int) -> Iterator[SimRecord]:
    """A visit of each person in turn, hour by hour in the order of event time. What follows days later is left out."""
    shop = Shop(scenario, scenario.stores[0])
    order = list(shop.people)
    shop.rng.shuffle(order)
    hours = max(1, int(scenario.days * 24))
    waiting: dict[int, list[tuple[int, int, str, bytes, bytes]]] = defaultdict(list)
    serial = 0
    for hour in range(hours):
        for person in order[len(order) * hour // hours : len(order) * (hour + 1) // hours]:
            start_ms = scenario.start_ms + hour * HOUR_MS + int(HOUR_MS * shop.rng.random())
            for draft in visit(shop, person):
                at_ms = start_ms + draft.after_ms
                if at_ms >= scenario.end_ms:
                    continue
                serial += 1
                value = stamp(draft, shop.new_id("e"), at_ms)
                due = (at_ms - scenario.start_ms) // HOUR_MS
                waiting[due].append((at_ms, serial, draft.topic, draft.key, value))
        for _, _, topic, key, value in sorted(waiting.pop(hour, ())):
            yield SimRecord(topic, key, value, stamped_at_ms)


async def run(task: CrowdTask) -> PeerResult:
    """Write all of it."""
    watch = Stopwatch()
    scenario = crowd_scenario(task.people, task.days)
    async with Producing(task.bootstrap, task.topics, task.partitions) as producing:
        await producing.write(crowd(scenario, stamped_at_ms=now_ms()))
        await producing.flush()
    return watch.result(producing.written)


if __name__ == "__main__":
    main(CrowdTask, arun=run)
