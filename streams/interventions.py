"""What people do by hand to single records: remembered in a compacted topic, and done at most once.

A *skip* sets a record aside before it is processed; a worker reads the skips when it starts, and makes the record a dead
letter in the same transaction as its offset. A *replay* puts a dead letter's record back on its topic, in one Kafka
transaction with the note that it was done. `Desk` is the one place that writes them: whoever opens it fences the last one
who did, so two at a time can't both replay a record.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaTimeoutError

from schemas.rows import InterventionRow
from schemas.topics import MAX_RECORD_BYTES, row_key
from streams.settings import Settings

TABLE: Final = "interventions"
READ_TIMEOUT_S: Final = 30.0
_DAY_MS: Final = 86_400_000

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(InterventionRow).decode


class Kind(StrEnum):
    """What was done."""

    SKIP = "skip"
    REPLAY = "replay"


class Coordinates(NamedTuple):
    """Where a record lies: short topic, partition, offset. Written `click/3/1234`."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class Placed(NamedTuple):
    """A record to send. `topic`: full name; `partition` None: the key's."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: Sequence[tuple[str, bytes]]


class Desk:
    """Notes and records, sent together or not at all. Made by `open_desk`."""

    def __init__(self, settings: Settings, producer: Any, done: Iterable[InterventionRow]) -> None:
        self._topic = settings.topics.interventions
        self._producer = producer
        self._done = {(row.kind, _place(row)) for row in done}

    def is_done(self, kind: Kind, place: Coordinates) -> bool:
        """Whether it was done before, by whomever."""
        return (kind.value, place) in self._done

    async def do(self, kind: Kind, places: Sequence[Coordinates], records: Sequence[Placed] = ()) -> None:
        """Send the records and note the places, in one transaction. Raises KafkaError; nothing was done then."""
        now_ms = time.time_ns() // 1_000_000
        async with self._producer.transaction():
            sent = [
                await self._producer.send(
                    record.topic,
                    record.value,
                    key=record.key,
                    partition=record.partition,
                    timestamp_ms=record.timestamp_ms,
                    headers=list(record.headers),
                )
                for record in records
            ]
            for place in places:
                row = InterventionRow(kind.value, *place, born=now_ms // _DAY_MS, done_at=now_ms, version=1)
                key = row_key(TABLE, f"{kind}|{place}".encode())
                sent.append(
                    await self._producer.send(self._topic, _encode(row), key=key, partition=place.partition)
                )
            # aiokafka would commit a transaction in which a delivery failed.
            for delivery in sent:
                await delivery
        self._done.update((kind.value, place) for place in places)


@asynccontextmanager
async def open_desk(settings: Settings) -> AsyncIterator[Desk]:
    """The desk of this installation. Fences whoever had it open: their next transaction fails. Raises KafkaError."""
    producer = AIOKafkaProducer(
        **settings.kafka_client_options(),
        transactional_id=f"{settings.application}-by-hand",
        acks="all",
        max_request_size=MAX_RECORD_BYTES,
    )
    try:
        await producer.start()
        # After the fence: what the last one has not committed by now, it never will.
        yield Desk(settings, producer, await read_interventions(settings))
    finally:
        await producer.stop()


async def read_interventions(settings: Settings, *, only: Kind | None = None) -> list[InterventionRow]:
    """What was done by hand so far; nothing if the topic is not there yet. `only`: of this kind.

    Raises KafkaError, also when nothing comes for READ_TIMEOUT_S.
    """
    consumer = AIOKafkaConsumer(
        **settings.kafka_client_options(),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        fetch_max_wait_ms=50,
    )
    topic = settings.topics.interventions
    rows: dict[bytes, InterventionRow] = {}
    await consumer.start()
    try:
        # Of silence, not of the whole: a note is kept of each letter that was ever replayed, and these may be millions.
        async with asyncio.timeout(READ_TIMEOUT_S) as silence:
            if topic not in await consumer.topics():
                return []
            partitions = [TopicPartition(topic, number) for number in range(settings.partitions)]
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            pending = [tp for tp in partitions if ends[tp] > 0]
            while pending:
                for records in (await consumer.getmany(*pending, timeout_ms=50)).values():
                    silence.reschedule(asyncio.get_running_loop().time() + READ_TIMEOUT_S)
                    for record in records:
                        row = _decode(record.value)
                        if only is None or row.kind == only:
                            rows[record.key] = row
                pending = [tp for tp in pending if await consumer.position(tp) < ends[tp]]
    except TimeoutError:
        raise KafkaTimeoutError(f"{topic}: nothing came for {READ_TIMEOUT_S} s; look at the broker") from None
    finally:
        await consumer.stop()
    return list(rows.values())


async def read_skips(settings: Settings) -> dict[tuple[str, int], frozenset[int]]:
    """(short topic, partition) -> offsets to set aside; see `processors.dead_letters.Skips`."""
    skips: dict[tuple[str, int], frozenset[int]] = {}
    for row in await read_interventions(settings, only=Kind.SKIP):
        place = (row.topic, row.partition)
        skips[place] = skips.get(place, frozenset()) | {row.offset}
    return skips


def _place(row: InterventionRow) -> Coordinates:
    return Coordinates(row.topic, row.partition, row.offset)
