"""Is all exact, when there are millions of records? Some whole shops computed again, all of them against their account.

Rows and metrics are per store, so the answer about a shop is exact by itself; which shops are computed again is drawn by
lot when the run is over. What is known of every shop without computing is compared for all (`account`), and the ledger
with the records as they lie in the topics. Records stream by: none is held that no shop of the lot needs.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

import clickhouse_connect
from msgspec import Struct

from deploy.simulator.truth import Truth
from schemas.rows import DeadLetterRow, LedgerRow
from schemas.stores import Store
from schemas.topics import FORWARDED
from streams.settings import Settings
from streams.sink import address_of
from tests.kafka.campaign.account import account_differences, ledger_differences
from tests.kafka.campaign.verdict import (
    BUCKETS,
    books_of,
    hour_of,
    of_dead_letters,
    of_links,
    recompute_in_parts,
    too_late_of,
)
from tests.kafka.campaign.visible import FACTS, Visible, read_tables, scan_sources
from tests.oracle.records import OracleResult, RawRecord
from tests.oracle.verdicts import judge
from tests.worlds import compare

MOST_RECORDS = 300_000
"""So many are verified whole, and so many of more; minutes, and less than a gigabyte."""


class Lot(Struct, frozen=True):
    """The shops that were computed again, and how many records that were."""

    seed: int
    stores: list[str]
    records: int = 0


class Judged(Struct):
    """What came of it: differences, the lot, how many records lie in the topics, and sizes by table and bucket."""

    differences: list[str]
    lot: Lot
    records: int
    counts: dict[str, int]


def draw(truth: Truth, seed: int, *, most: int = MOST_RECORDS) -> Lot:
    """Shops in an order of chance, each if all together still have no more than `most` events; at least the smallest."""
    sizes = {store: sum(kinds.values()) for store, kinds in truth.by_store.items()}
    order = sorted(sizes)
    random.Random(seed).shuffle(order)
    taken, total = [], 0
    for store in order:
        if total + sizes[store] <= most:
            taken.append(store)
            total += sizes[store]
    return Lot(seed, sorted(taken or sorted(sizes, key=lambda store: sizes[store])[:1]))


class Scan:
    """What is kept of the records as they stream by: how many lie where, those of some shops, and those of letters."""

    def __init__(self, stores: Collection[str], letters: Sequence[DeadLetterRow]) -> None:
        self.places: Counter[tuple[str, int, int]] = Counter()
        """(topic, partition, hour) -> records."""
        self.kept: list[RawRecord] = []
        """Of the shops."""
        self.refused: list[RawRecord] = []
        """Of no shop of these, but with a dead letter."""
        self._stores = frozenset(stores)
        self._signs = [f'"{store}"'.encode() for store in stores]
        self._letters = {(row.topic, row.partition, row.offset) for row in letters}

    def take(self, record: RawRecord) -> None:
        """One more."""
        self.places[record.topic, record.partition, hour_of(record)] += 1
        if self._is_theirs(record.value or b""):
            self.kept.append(record)
        elif record.origin in self._letters:
            self.refused.append(record)

    def _is_theirs(self, value: bytes) -> bool:
        # Reading millions as JSON takes minutes, looking for a name does not; an escape may hide a name.
        if not any(sign in value for sign in self._signs) and b"\\u" not in value:
            return False
        with suppress(ValueError, RecursionError):
            read = json.loads(value)
            return isinstance(read, dict) and read.get("store_id") in self._stores
        return False


async def judge_long(
    settings: Settings, stores: Mapping[str, Store], truth: Truth, *, seed: int, most: int = MOST_RECORDS
) -> Judged:
    """Everything that is not as it must be, a line each. All that was sent must be visible. `seed`: of the lot."""
    lot = draw(truth, seed, most=most)
    address = address_of(settings)
    # In a thread: the server may be one that this very loop serves.
    client = await asyncio.to_thread(
        clickhouse_connect.get_client, **address.client_options(), database=address.database
    )
    try:
        visible = await asyncio.to_thread(read_tables, client, lot.stores)
        found = await asyncio.to_thread(account_differences, client, truth)
        counts = await asyncio.to_thread(_counts, client, visible.ledger)
    finally:
        client.close()
    scan = Scan(lot.stores, visible.dead_letters)
    async for record in scan_sources(settings):
        scan.take(record)
    found += scan_differences(scan, visible, truth)
    found += await asyncio.to_thread(lot_differences, scan, visible, stores)
    records = sum(scan.places.values())
    return Judged(found, Lot(seed, lot.stores, len(scan.kept)), records, counts)


def scan_differences(scan: Scan, visible: Visible, truth: Truth) -> list[str]:
    """The ledger against the topics and against what was sent."""
    books, found = books_of(visible.ledger)
    landed = sum(book["read"] for key, book in books.items() if key[0] == FORWARDED)
    forwarded = sum(book["forwarded"] for book in books.values())
    read = {key: book["read"] for key, book in books.items() if key[0] != FORWARDED}
    for key in sorted({*read, *scan.places}):
        if read.get(key, 0) != scan.places[key]:
            found.append(f"ledger {key}: {read.get(key, 0)} were read, {scan.places[key]} lie in the topic")
    if landed != forwarded:
        found.append(f"ledger: {forwarded} were forwarded, but {landed} landed")
    if sum(scan.places.values()) != truth.records:
        found.append(
            f"{truth.records} records were acknowledged, {sum(scan.places.values())} lie in the topics"
        )
    late = too_late_of(visible)
    if late:
        found.append(f"{len(late)} records were too late, and none was sent so late: {sorted(late)[:5]}")
    return found + ledger_differences(visible.ledger, truth)


def lot_differences(scan: Scan, visible: Visible, stores: Mapping[str, Store]) -> list[str]:
    """The shops of the lot against the oracle, cell by cell; every dead letter of all shops, byte for byte."""
    late = too_late_of(visible)
    oracle = recompute_in_parts(scan.kept, stores, too_late=late)
    found = [
        f"row: {difference} (tables left, oracle right)" for difference in compare(visible.rows, oracle.rows)
    ]
    found += [f"row: {double} has several" for double in visible.doubles]
    found += of_links(oracle, visible)
    verdicts, _ = judge(scan.refused, stores, too_late=late)
    everyone = OracleResult(verdicts={**oracle.verdicts, **verdicts})
    return found + of_dead_letters([*scan.kept, *scan.refused], everyone, visible.dead_letters)


def _counts(client: Any, ledger: Sequence[LedgerRow]) -> dict[str, int]:
    rows = {
        table: client.query(f"SELECT count() FROM {table} FINAL").result_rows[0][0]
        for table in (*FACTS, "links", "dead_letters")
    }
    return {**rows, **{name: sum(getattr(row, name) for row in ledger) for name in ("read", *BUCKETS)}}
