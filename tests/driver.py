"""The whole pipeline in one process without Kafka: pipe records in, crash it, restart it, look at the rows.

One log, the real state stores (the in-memory twin), the real processors, epochs committed as the engine does: state, rows
and offsets together or not at all. A crash forgets everything since the last commit, as `kill -9` would.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from processors.pipeline import Pipeline, make_factory
from schemas.epoch import Outgoing, Record
from schemas.rates import NO_RATES, Rates
from schemas.stores import Store
from schemas.tables import TABLES
from schemas.topics import DEFINITION, FORWARDED, INPUTS, SOURCES
from streams.engine.state.memory import MemoryStore
from tests.oracle.records import RawRecord, Rows, fold_rows
from tests.oracle.wire import partition_of

# What partitions send each other is delivered by `deliver` and `commit`.
READ = tuple(topic for topic in INPUTS if topic != FORWARDED)
DEFAULT_CHUNK = 7  # small and odd, so that chunk edges fall everywhere


class _Partition:
    """One partition: its log by topic, its committed state, the processor at work, and what it has committed."""

    def __init__(self, number: int, stores: Mapping[str, Store], rates: Rates, partitions: int) -> None:
        self.number = number
        self.log: dict[str, list[Any]] = {topic: [] for topic in INPUTS}
        self.store = MemoryStore(number)
        self.factory = make_factory(stores, rates=rates, partitions=partitions)
        self.epoch = 0
        self.written: list[tuple[str, Any]] = []
        self.compacted: dict[tuple[str, bytes], tuple[str, Any]] = {}
        """What compaction leaves of the rows topic, by its keys."""
        self.outgoing: list[Outgoing] = []
        self.report: bytes | None = None
        self.is_at_end = True
        self.expected: set[str] = set()
        self.start()

    def start(self) -> None:
        meta = self.store.meta
        pipeline = self.factory(self.number, self.store, meta.processor if meta else None)
        assert isinstance(pipeline, Pipeline)
        self.pipeline = pipeline
        self.position = {topic: (meta.offsets.get(topic, 0) if meta else 0) for topic in INPUTS}

    def observe(self, now_ms: int) -> None:
        """A topic that has had no record yet is at its end, unless records are expected."""
        idle = {topic for topic in SOURCES if self.is_at_end or not self.log[topic]}
        self.pipeline.observe(now_ms=now_ms, idle=frozenset(idle - self.expected))

    def commit(self, now_ms: int) -> list[Outgoing]:
        """Commit an epoch. Returns what it has sent to other partitions."""
        self.observe(now_ms)
        epoch = self.pipeline.flush()
        if epoch is None:
            return []
        self.epoch += 1
        expired = self.store.expired(epoch.expire_before_day, 100)
        pending = self.store.begin(epoch, number=self.epoch, offsets=dict(self.position), expired=expired)
        self.store.commit(pending, self.store.changelog_offset + len(pending.records))
        rows = [(table, key, row) for table, rows in epoch.rows.items() for key, row in rows]
        for table, key, encoded in (*rows, *epoch.last_rows):
            row = msgspec.msgpack.decode(encoded, type=TABLES[table].row)
            self.written.append((table, row))
            self.compacted[table, key] = (table, row)
        self.outgoing += epoch.outgoing
        self.report = epoch.report
        return [sent for sent in epoch.outgoing if sent.topic == FORWARDED]


class PipelineDriver:
    """Records in, rows out, with a crash at hand. `now_ms`: the wall clock that the pipeline is told."""

    def __init__(
        self,
        stores: Mapping[str, Store],
        *,
        rates: Rates = NO_RATES,
        partitions: int = 1,
        now_ms: int = 4_000_000_000_000,
    ) -> None:
        self.stores = stores
        self.rates = rates
        self.now_ms = now_ms
        self._partitions = [_Partition(number, stores, rates, partitions) for number in range(partitions)]
        self._reports: dict[int, bytes] = {}

    def pipe(
        self,
        records: Iterable[RawRecord],
        *,
        chunk: int = DEFAULT_CHUNK,
        commit: bool = True,
        to: int | None = None,
    ) -> None:
        """Append records to the log, each in its key's partition, and process them in chunks of one topic.

        `to`: all into this partition, as a producer with another partitioner would.
        """
        for record in records:
            number = partition_of(record.key, len(self._partitions)) if record.key is not None else 0
            if to is not None:
                number = to
            partition = self._partitions[number]
            partition.is_at_end = False
            log = partition.log[record.topic]
            log.append(record._replace(partition=partition.number, offset=len(log)))
            if len(log) - partition.position[record.topic] >= chunk:
                self._run(partition, record.topic)
        for partition in self._partitions:
            for topic in READ:
                self._run(partition, topic)
        if commit:
            self.commit()

    def _run(self, partition: _Partition, topic: str) -> None:
        waiting = partition.log[topic][partition.position[topic] :]
        if waiting:
            partition.observe(self.now_ms)
            partition.pipeline.process(topic, waiting)
            partition.position[topic] = len(partition.log[topic])

    def advance_to(self, instant_ms: int) -> None:
        """Let the wall clock be `instant_ms`, and every topic be at its end."""
        self.now_ms = instant_ms
        for partition in self._partitions:
            partition.is_at_end = True
            partition.expected.clear()
            partition.observe(instant_ms)

    def expect_records(self, number: int, topics: Iterable[str]) -> None:
        """Let these topics of a partition not be at their end, though they may have had no record yet."""
        self._partitions[number].expected.update(topics)

    def commit(self) -> None:
        """End the epoch of every partition, and let what they send each other arrive and be committed too."""
        numbers, busy = range(len(self._partitions)), True
        while busy:
            for number in numbers:
                self.commit_one(number)
            busy = sum(self.deliver(number) for number in numbers) > 0

    def commit_one(self, number: int) -> None:
        """End the epoch of one partition. What it has sent waits to be delivered."""
        partition = self._partitions[number]
        for sent in partition.commit(self.now_ms):
            assert sent.partition is not None
            log = self._partitions[sent.partition].log[FORWARDED]
            timestamp = self.now_ms if sent.timestamp is None else sent.timestamp
            log.append(Record(len(log), timestamp, sent.key, sent.value, sent.headers))
        if partition.report is not None:
            self._reports[number] = partition.report
            for other in self._partitions:
                other.pipeline.hear(number, partition.report)
            partition.report = None

    def deliver(self, number: int) -> int:
        """Let a partition take what others have sent it. Returns how many messages that is."""
        partition = self._partitions[number]
        waiting = len(partition.log[FORWARDED]) - partition.position[FORWARDED]
        self._run(partition, FORWARDED)
        return waiting

    def crash(self, *, rates: Rates | None = None, stores: Mapping[str, Store] | None = None) -> None:
        """Die now, start again from what is committed, and read on from there.

        `rates`, `stores`: start with these from now on.
        """
        self.rates = self.rates if rates is None else rates
        self.stores = self.stores if stores is None else stores
        for partition in self._partitions:
            partition.factory = make_factory(self.stores, rates=self.rates, partitions=len(self._partitions))
            partition.start()
            for number, report in self._reports.items():
                partition.pipeline.hear(number, report)
            for topic in READ:
                self._run(partition, topic)

    def restart(self, *, partitions: int) -> None:
        """Compute everything again with another number of partitions, from the log of events."""
        records = self.log()
        self._partitions = [
            _Partition(number, self.stores, self.rates, partitions) for number in range(partitions)
        ]
        self._reports = {}
        for number in range(partitions):
            self.expect_records(number, SOURCES)
        self.pipe(records)

    def log(self) -> list[RawRecord]:
        """Everything that was piped in, with the partitions and offsets it got here."""
        return [
            record
            for topic in (*SOURCES, DEFINITION)
            for partition in self._partitions
            for record in partition.log[topic]
        ]

    def rows(self) -> Rows:
        """What a reader of the tables sees (counters summed over partitions; bookkeeping columns 0)."""
        written = [one for partition in self._partitions for one in partition.written]
        # A sink may have read any of them, and be away until the topic is compacted: what is left says the same then.
        left = [one for partition in self._partitions for one in partition.compacted.values()]
        assert _latest(left) == _latest(written)
        return fold_rows(written)

    def written(self, table: str) -> list[Any]:
        """Every row written to a table, all versions."""
        return [row for partition in self._partitions for name, row in partition.written if name == table]

    @property
    def dead_letters(self) -> Sequence[Outgoing]:
        """What went to the dead-letter topic."""
        return [
            sent
            for partition in self._partitions
            for sent in partition.outgoing
            if sent.topic == "dead-letter"
        ]

    def ledger(self) -> dict[str, int]:
        """The buckets, summed over topics, partitions and hours."""
        latest = {(row.topic, row.partition, row.hour): row for row in self.written("ledger")}
        names = ("read", "accepted", "duplicate", "test_traffic", "dead_letter", "too_late", "forwarded")
        return {name: sum(getattr(row, name) for row in latest.values()) for name in names}


def _latest(written: Iterable[tuple[str, Any]]) -> dict[tuple[Any, ...], Any]:
    """The last row of each place, also where it withdraws. ClickHouse replaces within a key's day, never between days."""
    latest: dict[tuple[Any, ...], Any] = {}
    for table, row in written:
        place = (table, row.born, *(getattr(row, column) for column in TABLES[table].key))
        if place not in latest or row.version >= latest[place].version:
            latest[place] = row
    return latest
