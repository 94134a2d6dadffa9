"""An epoch's records packed into Kafka batches: no future, no task and no object of ours for a single record."""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from schemas.epoch import Epoch, Headers
from schemas.topics import MAX_RECORD_BYTES, Topics, row_key
from streams.engine.options import BrokenAssumption
from streams.engine.state import Pending

# Well below the topics' max.message.bytes, which the broker judges after compression.
BATCH_BYTES = 1_048_576


class Batch(NamedTuple):
    """A full batch on its way to one topic-partition."""

    topic: str
    partition: int
    builder: Any


class Builders(Protocol):
    """What makes aiokafka's BatchBuilder; the producer does."""

    def create_batch(self) -> Any: ...


KeyValue = tuple[bytes | None, bytes | None]


def changelog_batches(
    producer: Builders, topics: Topics, partition: int, pending: Pending
) -> Iterator[Batch]:
    """The state's batches, in changelog order; the meta record is the last record of the last one."""
    for builder in pack(producer, topics.changelog, pending.records):
        yield Batch(topics.changelog, partition, builder)


def output_batches(producer: Builders, topics: Topics, partition: int, epoch: Epoch) -> Iterator[Batch]:
    """Outgoing records, rows, the report. Lazily: the caller may rest between two batches."""
    yield from _outgoing_batches(producer, topics, partition, epoch)
    for builder in pack(producer, topics.rows, _rows(epoch)):
        yield Batch(topics.rows, partition, builder)
    if epoch.report is not None:
        for builder in pack(producer, topics.progress, [(b"%d" % partition, epoch.report)]):
            yield Batch(topics.progress, 0, builder)


def _rows(epoch: Epoch) -> Iterator[KeyValue]:
    """All rows, table by table, and behind them `last_rows`: of one topic-partition a sink reads them in this order."""
    for table, rows in epoch.rows.items():
        name = row_key(table, b"")
        for key, row in rows:
            yield name + key, row
    for table, key, row in epoch.last_rows:
        yield row_key(table, key), row


def _outgoing_batches(producer: Builders, topics: Topics, partition: int, epoch: Epoch) -> Iterator[Batch]:
    lanes: dict[tuple[str, int], list[tuple[bytes | None, bytes | None, int | None, Headers]]] = {}
    for sent in epoch.outgoing:
        to = partition if sent.partition is None else sent.partition
        lanes.setdefault((topics.output(sent.topic), to), []).append(
            (sent.key, sent.value, sent.timestamp, sent.headers)
        )
    for (topic, to), records in lanes.items():
        for builder in _pack_with_headers(producer, topic, records):
            yield Batch(topic, to, builder)


def pack(producer: Builders, topic: str, records: Iterable[KeyValue]) -> Iterator[Any]:
    """Fill builders with records of one time, now, and no headers. The hot path: one Cython call a record."""
    now = int(time.time() * 1000)
    builder = producer.create_batch()
    # BatchBuilder.append takes keywords, serialises and keeps a counter: as dear as the record itself.
    append = builder._builder.append
    nothing: list[tuple[str, bytes]] = []
    count = 0
    for key, value in records:
        if append(count, now, key, value, nothing) is None:
            builder._relative_offset = count
            yield builder
            builder = producer.create_batch()
            append = builder._builder.append
            if append(0, now, key, value, nothing) is None:
                raise _too_large(topic, key, value)
            count = 1
        else:
            if count == 0:
                _check_size(topic, key, value)
            count += 1
    if count:
        builder._relative_offset = count
        yield builder


def _pack_with_headers(
    producer: Builders, topic: str, records: Sequence[tuple[bytes | None, bytes | None, int | None, Headers]]
) -> Iterator[Any]:
    builder = producer.create_batch()
    for key, value, timestamp, headers in records:
        _check_size(topic, key, value)
        if builder.append(timestamp=timestamp, key=key, value=value, headers=list(headers)) is None:
            yield builder
            builder = producer.create_batch()
            if builder.append(timestamp=timestamp, key=key, value=value, headers=list(headers)) is None:
                raise _too_large(topic, key, value)
    if builder.record_count():
        yield builder


def _check_size(topic: str, key: bytes | None, value: bytes | None) -> None:
    # A builder takes its first record whatever its size; the broker would refuse it after everything else was sent.
    if len(key or b"") + len(value or b"") > MAX_RECORD_BYTES:
        raise _too_large(topic, key, value)


def _too_large(topic: str, key: bytes | None, value: bytes | None) -> BrokenAssumption:
    return BrokenAssumption(
        # Its length alone: the key names a person.
        f"{topic}: a record of {len(value or b'')} bytes under a key of {len(key or b'')} is over the limit of"
        f" {MAX_RECORD_BYTES}; the processor must cut it or make a dead letter of it"
    )
