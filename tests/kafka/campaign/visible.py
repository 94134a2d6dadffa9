"""What went in and what can be seen: the source topics as they lie in Kafka, the tables as ClickHouse answers."""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct

from schemas.rows import DeadLetterRow, LedgerRow, LinkRow, WatermarkRow
from schemas.tables import TABLES
from schemas.topics import SOURCES
from streams.settings import Settings
from tests.oracle.records import RawRecord, Rows, fold_rows, row_key

FACTS = ("sessions", "exposures", "orders", "counters")
# Bytes as they are; every other String holds text.
RAW: Mapping[type[Struct], set[str]] = {DeadLetterRow: {"key", "value", "header_values"}}


class Visible(NamedTuple):
    """All tables, read with FINAL. `rows` as the oracle has them: counters summed over partitions."""

    rows: Rows
    ledger: list[LedgerRow]
    dead_letters: list[DeadLetterRow]
    watermarks: list[WatermarkRow]
    links: list[LinkRow]
    doubles: list[str]
    """Keys of facts that have more than one row, under several days of birth."""


def read_tables(client: Any, stores: Collection[str] = ()) -> Visible:
    """Everything that a reader of ClickHouse sees now. `client`: clickhouse-connect, on the installation's database.

    `stores`: facts and links of these only, if any are given.
    """
    facts = [(table, row) for table in FACTS for row in read_table(client, table, stores)]
    times = Counter((table, row_key(table, row)) for table, row in facts)
    return Visible(
        fold_rows(facts),
        read_table(client, "ledger"),
        read_table(client, "dead_letters"),
        read_table(client, "watermarks"),
        read_table(client, "links", stores),
        [f"{table} {key}" for (table, key), count in times.items() if count > 1],
    )


def read_table(client: Any, table: str, stores: Collection[str] = ()) -> list[Any]:
    """The visible rows of a table as row structs, by key; of these stores only, if any are given."""
    described = TABLES[table]
    columns = ", ".join(_plain(column.name, column.type) for column in described.columns)
    key = ", ".join(described.key)
    # In one array: read in two queries, rows and their number could differ.
    where = "WHERE store_id IN {stores:Array(String)}" if stores else ""
    bound = {"stores": sorted(stores)} if stores else None
    query = f"SELECT {columns} FROM {table} FINAL {where} ORDER BY {key}"
    answer = client.raw_query(query, parameters=bound, fmt="MsgPack")
    decoder = msgspec.msgpack.Decoder()
    width = len(described.columns)
    count = client.query(f"SELECT count() FROM {table} FINAL {where}", parameters=bound).result_rows[0][0]
    values = decoder.decode(b"\xdd" + (count * width).to_bytes(4, "big") + answer)
    raw = RAW.get(described.row, set())
    return [
        _struct(values[start : start + width], described.row, raw) for start in range(0, len(values), width)
    ]


def _plain(name: str, kind: str) -> str:
    """Instants as ms, dates as days: what the row structs hold."""
    return {
        "Date": f"toUInt16({name})",
        "Array(Date)": f"arrayMap(day -> toUInt16(day), {name})",
        "DateTime64(3, 'UTC')": f"toUnixTimestamp64Milli({name})",
        "Array(DateTime64(3, 'UTC'))": f"arrayMap(at -> toUnixTimestamp64Milli(at), {name})",
    }.get(kind, name)


def _struct(values: list[Any], row: type[Struct], raw: set[str]) -> Struct:
    names = row.__struct_fields__
    sent = [value if name in raw else _text(value) for name, value in zip(names, values, strict=True)]
    return msgspec.convert(sent, row)


def _text(value: Any) -> Any:
    """The engine writes every String as bytes."""
    if isinstance(value, bytes):
        return value.decode()
    return [_text(item) for item in value] if isinstance(value, list) else value


async def read_sources(settings: Settings, topics: Iterable[str] = SOURCES) -> list[RawRecord]:
    """Every committed record of the source topics (short names), as any reader gets them: the oracle's input."""
    return [record async for record in scan_sources(settings, topics)]


async def scan_sources(settings: Settings, topics: Iterable[str] = SOURCES) -> AsyncIterator[RawRecord]:
    """Likewise, one after the other: ten million of them have no place in memory."""
    for topic in topics:
        async for record in _scan(settings, settings.topics.source(topic)):
            timestamp = None if record.timestamp < 0 else record.timestamp
            yield RawRecord(topic, record.partition, record.offset, timestamp, record.key, record.value)


async def read_topic(settings: Settings, topic: str) -> list[Any]:
    """All committed records of a topic up to its present ends, partition by partition, in offset order."""
    return [record async for record in _scan(settings, topic)]


async def _scan(settings: Settings, topic: str) -> AsyncIterator[Any]:
    consumer = AIOKafkaConsumer(
        **settings.kafka_client_options(), isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(settings.partitions)]
        ends: Mapping[TopicPartition, int] = await consumer.end_offsets(partitions)
        for partition in partitions:
            consumer.assign([partition])
            await consumer.seek_to_beginning(partition)
            while await consumer.position(partition) < ends[partition]:
                for batch in (await consumer.getmany(timeout_ms=50)).values():
                    for record in batch:
                        yield record
    finally:
        await consumer.stop()
