"""Events of journeys and definitions on their way to a driver: any order, repeats, misrouted ones, crashes."""

import random
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from schemas.rows import BOOKKEEPING
from schemas.stores import Store
from schemas.tables import TABLES
from tests.driver import PipelineDriver
from tests.oracle.records import RawRecord
from tests.oracle.wire import Sent

START: Final = 1_767_600_000_000  # 2026-01-05 08:00 UTC
MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
STORES: Final = {"acme": Store(zone="Asia/Tokyo", currency="JPY"), "beta": Store(zone="America/New_York")}


def record(topic: str, value: Mapping[str, Any], *, key: bytes | None = None) -> RawRecord:
    """A record of `value`, sent when it happened; `key`: another than the right one, which misroutes it."""
    sent = Sent(topic, value, int(value["occurred_at"]))
    return RawRecord(topic, 0, 0, sent.timestamp_ms, key or sent.key, sent.body)


def misrouted(records: Sequence[RawRecord], chance: random.Random) -> list[RawRecord]:
    """Some of them under a key of nobody's, which leads to any partition."""
    return [
        one._replace(key=b"lost-%d" % chance.randrange(9)) if chance.random() < 0.2 else one
        for one in records
    ]


def shuffled_with_repeats(records: Sequence[RawRecord], chance: random.Random) -> list[RawRecord]:
    """All of them in any order, some twice."""
    arriving = [*records, *chance.sample(records, chance.randint(0, len(records)))]
    chance.shuffle(arriving)
    return arriving


def run(
    records: Sequence[RawRecord], chance: random.Random, *, partitions: int, crashes: bool = True
) -> PipelineDriver:
    """A driver that took them in pieces of any size, with epochs and crashes anywhere."""
    driver = PipelineDriver(STORES, partitions=partitions)
    left = list(records)
    while left:
        size = chance.randint(1, 6)
        driver.pipe(left[:size], chunk=chance.randint(1, 4), commit=chance.random() < 0.5)
        del left[:size]
        if crashes and chance.random() < 0.3:
            driver.crash()
    driver.commit()
    return driver


def table(driver: PipelineDriver, name: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Key -> what the row of that key says to a reader of the table."""
    key = TABLES[name].key
    latest: dict[tuple[Any, ...], Any] = {}
    for row in driver.written(name):
        place = tuple(getattr(row, column) for column in key)
        if place not in latest or row.version >= latest[place].version:
            # Two rows of one key of two days would both be seen: ClickHouse replaces within a partition.
            assert place not in latest or latest[place].born == row.born
            latest[place] = row
    return {
        place: {n: v for n, v in msgspec.structs.asdict(row).items() if n not in BOOKKEEPING}
        for place, row in latest.items()
        if not row.is_deleted
    }
