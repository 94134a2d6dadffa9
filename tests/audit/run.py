"""A batch of worlds, asked everything on both sides."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.audit.answers import Difference, differences, oracle_answer, unanswered
from tests.audit.files import file_differences, files_asked
from tests.audit.house import Settled, fill, open_house
from tests.audit.product import product_answer
from tests.audit.questions import questions_about
from tests.oracle.definitions import TOPIC as DEFINITION
from tests.oracle.definitions import definitions_of
from tests.oracle.metrics.facts import StoreFacts, facts_of
from tests.oracle.verdicts import judge
from tests.sinks.reading import Warehouse
from tests.worlds import World, random_world


@dataclass
class Finding:
    """What came of it. `values`: aspects compared; `silent`: metrics the report never answered, how often."""

    worlds: int = 0
    events: int = 0
    rows: int = 0
    questions: int = 0
    cells: int = 0
    files: int = 0
    differences: list[tuple[int, str, Difference]] = field(default_factory=list)
    silent: Counter[str] = field(default_factory=Counter)
    metrics: set[str] = field(default_factory=set)

    @property
    def is_exact(self) -> bool:
        """No difference and no silence."""
        return not self.differences and not self.silent


@dataclass(frozen=True)
class Options:
    """What the worlds may hold."""

    most_stories: int = 60
    identity: bool = True
    shared_orders: bool = True
    definitions: bool = True
    questions: int = 12
    partitions: tuple[int, ...] = (1, 3)


def world_of(seed: int, options: Options) -> World:
    """The world of a seed, arriving in disorder."""
    world = random_world(
        seed,
        most_stories=options.most_stories,
        metrics=True,
        identity=options.identity,
        shared_orders=options.shared_orders,
    ).arriving(seed)
    if options.definitions:
        return world
    return replace(world, arrivals=tuple(each for each in world.arrivals if each.sent.topic != DEFINITION))


def facts_in(world: World) -> dict[str, StoreFacts]:
    """Store -> its facts by the oracle."""
    _, events = judge(world.records, world.stores)
    return facts_of(events, world.stores, definitions_of(world.records, world.stores), world.oracle_rates)


async def compare_worlds(
    warehouse: Warehouse, client: Any, seeds: Sequence[int], options: Options
) -> Finding:
    """Worlds into an empty database, then every question to both. `client`: asynchronous, of a reader."""
    worlds = [Settled(seed, world_of(seed, options)) for seed in seeds]
    open_house(warehouse.address, worlds)
    finding = Finding(worlds=len(worlds), events=sum(len(settled.world.records) for settled in worlds))
    finding.rows = await fill(warehouse, worlds, partitions=options.partitions)
    for settled in worlds:
        for store_id, facts in facts_in(settled.world).items():
            name = settled.name(store_id)
            await ask_everything(client, name, facts, finding, options.questions, settled.number)
    return finding


async def ask_everything(
    client: Any, store: str, facts: StoreFacts, finding: Finding, most: int, seed: int
) -> None:
    """`most` questions about a store, as it is called in the database, and its files, to both sides; `finding` grows."""
    for question in questions_about(facts, random.Random(seed), most):
        oracle = oracle_answer(facts, question)
        product = await product_answer(client, store, question)
        finding.questions += 1
        finding.cells += len({*oracle, *product})
        finding.metrics |= {cell.metric for cell in product}
        finding.silent.update(unanswered(oracle, product))
        found = differences(question, oracle, product)
        finding.differences += [(seed, store, each) for each in found]
    for question in files_asked(facts):
        for each in await file_differences(client, store, facts, question):
            finding.differences.append((seed, store, each))
        finding.files += 2
