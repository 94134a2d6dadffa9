"""The audit of conservation: the accounts in ClickHouse with each other, and with what lies in Kafka."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from processors.forwarding import Kind, readable
from schemas.topics import FORWARDED
from streams.conservation import LEDGER, Account, BooksReader, Check, Mismatch, Sums, compared, within
from streams.lag import LagReader, PartitionLag
from streams.settings import Settings
from streams.sink import address_of

POLL_S: Final = 1.0
_READ: Final = f"SELECT topic, partition, sum(read) FROM ({LEDGER}) GROUP BY topic, partition"

Progress = Callable[[str], None]


class Audit(NamedTuple):
    """The answer. `records`: read according to the ledger; `scanned`: counted in Kafka one by one."""

    records: int
    scanned: int
    mismatches: list[Mismatch]


class _Moment(NamedTuple):
    """What was true at one moment: the accounts, and whether all that lay in Kafka by then was in them."""

    books: Mapping[Account, Sums]
    quiet: bool


async def audit(settings: Settings, *, settle_s: float, progress: Progress = lambda _: None) -> Audit:
    """Compare everything. What differs is looked at again, for `settle_s` seconds or until nothing is on its way.

    Raises BooksUnread, LagError, KafkaError.
    """
    loop = asyncio.get_running_loop()
    async with LagReader(settings) as lag, BooksReader(address_of(settings)) as reader:
        counter = _Counter(settings)
        first = now = await _look(lag, reader, counter, settings)
        deadline = loop.time() + settle_s
        while not _balanced(now) and not (now.quiet and first.quiet and now is not first):
            if loop.time() >= deadline:
                break
            progress("accounts differ; looking whether that is on its way")
            await asyncio.sleep(POLL_S)
            if now.quiet and not first.quiet:
                first = now
            now = await _look(lag, reader, counter, settings)
        read = sum(count for _, _, count in await reader.rows(_READ))
        wrong = [] if _balanced(now) else within(now.books) + compared(first.books, now.books)
        return Audit(read, counter.scanned, wrong)


def _balanced(moment: _Moment) -> bool:
    return all(sums.told == sums.found for sums in moment.books.values())


async def _look(lag: LagReader, reader: BooksReader, counter: "_Counter", settings: Settings) -> _Moment:
    before = await lag.measure()
    books = await reader.read()
    read = {(topic, partition): int(count) for topic, partition, count in await reader.rows(_READ)}
    after = await lag.measure()
    quiet = before == after and all(one.oldest_ms is None for group in after for one in group.partitions)
    for one in before[0].partitions:
        topic = settings.topics.short(one.topic)
        found = read.get((topic, one.partition), 0)
        told = await counter.records(topic, one, found)
        books[Account(Check.OFFSETS, topic, one.partition)] = Sums(told, found)
    return _Moment(books, quiet)


class _Counter:
    """How many records lie below a committed offset. Offsets are counted one by one only where they do not tell."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[tuple[str, int], tuple[int, int]] = {}  # place -> (offset, records below it)
        self.scanned = 0

    async def records(self, topic: str, lag: PartitionLag, read: int) -> int:
        """Records of this partition up to the committed offset, transaction markers not counted."""
        committed = max(lag.committed, 0)
        if committed == read and topic != FORWARDED:
            return read
        counted = await self._count(topic, lag, committed)
        # Of what retention has deleted only the offsets are known: between none and all of them were records.
        return counted + min(max(read - counted, 0), lag.begin)

    async def _count(self, topic: str, lag: PartitionLag, committed: int) -> int:
        place = (topic, lag.partition)
        offset, records = self._known.get(place, (lag.begin, 0))
        if offset < committed:
            found = await _scan(self._settings, TopicPartition(lag.topic, lag.partition), offset, committed)
            events = [record for record in found if topic != FORWARDED or _is_event(record)]
            self.scanned += len(found)
            records += len(events)
            self._known[place] = (committed, records)
        return records


def _is_event(record: Any) -> bool:
    """News is no record of the ledger, and what nobody can read was set aside as such: `Pipeline._set_aside`."""
    forwarded = readable(record.headers)
    return forwarded is not None and forwarded.kind is Kind.EVENT


async def _scan(settings: Settings, place: TopicPartition, begin: int, end: int) -> Sequence[Any]:
    """The committed records in [begin, end), without their values. Raises KafkaError."""
    consumer = AIOKafkaConsumer(
        **settings.kafka_client_options(),
        group_id=None,
        enable_auto_commit=False,
        isolation_level="read_committed",
        fetch_max_wait_ms=50,
    )
    found: list[Any] = []
    await consumer.start()
    try:
        consumer.assign([place])
        consumer.seek(place, begin)
        while await consumer.position(place) < end:
            for records in (await consumer.getmany(place, timeout_ms=50)).values():
                found += [_Headers(record.headers) for record in records if record.offset < end]
    finally:
        await consumer.stop()
    return found


class _Headers(NamedTuple):
    headers: Sequence[tuple[str, bytes]]
