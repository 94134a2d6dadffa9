"""Partitions that read at very different pace: records in wrong ones, messages that lie for long, epochs and crashes."""

import random

from tests.driver import PipelineDriver
from tests.oracle.records import RawRecord
from tests.worlds import World

PARTITIONS = 3


def misrouted(world: World, chance: random.Random) -> list[list[RawRecord]]:
    """The world's records by the partition that they are sent to, in order of arrival: a fair part to a wrong one."""
    lanes: list[list[RawRecord]] = [[] for _ in range(PARTITIONS)]
    for record in world.records:
        lanes[chance.randrange(PARTITIONS)].append(record)
    return lanes


def driver_read_apart(world: World, seed: int, *, partitions: int = PARTITIONS) -> PipelineDriver:
    """A driver whose partitions have read their records at very different pace, with messages that lay for long."""
    chance = random.Random(seed)
    driver = PipelineDriver(world.stores, rates=world.rates, partitions=partitions)
    lanes = misrouted(world, chance)
    for number, lane in enumerate(lanes):
        driver.expect_records(number, {record.topic for record in lane})
    while any(lanes):
        # One partition reads on, often to its end; the others stay where they are.
        number = chance.choice([number for number, lane in enumerate(lanes) if lane])
        size = chance.choice((1, 3, 100))
        driver.pipe(lanes[number][:size], to=number, chunk=chance.randint(1, 5), commit=False)
        del lanes[number][:size]
        driver.commit_one(number)
        for other in chance.sample(range(partitions), chance.randint(0, partitions)):
            if chance.random() < 0.3:
                driver.deliver(other)
            driver.commit_one(other)
        if chance.random() < 0.15:
            driver.crash()
    driver.commit()
    assert not driver.dead_letters
    return driver
