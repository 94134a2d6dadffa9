"""A partition's state read back from its changelog, complete or not at all.

The reader is our own: it starts where the local store ends and is done when its *position* reaches the end offset
(the last offsets are transaction markers, which are never delivered). The partition's producer must have been started
before: that ended whatever the last owner left open, so the end offset does not move any more.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.topics import INPUTS
from streams import failpoints
from streams.engine.options import BrokenAssumption, EngineOptions
from streams.engine.state import StateStore
from streams.engine.state.codec import META_KEY, decode_meta

RECORDS_A_CALL = 2_000
FETCH_BYTES = 4 * 1_048_576
# Short: after the last record only a transaction marker comes, which ends no wait.
WAIT_MS = 20

log = logging.getLogger("shopmeter.engine.restore")


class Restored(NamedTuple):
    """Where a partition goes on from."""

    begin: dict[str, int]
    """Short source topic -> next offset to read."""
    unread: dict[str, int]
    """Short source topic -> records that retention deleted before they were read. Lost; normally empty."""
    records: int
    """Changelog records that were read."""


def make_reader(options: EngineOptions, partition: int) -> AIOKafkaConsumer:
    """A changelog reader without a group."""
    return AIOKafkaConsumer(
        **options.kafka,
        client_id=f"{options.application}-{options.instance}-restore-{partition}",
        group_id=None,
        enable_auto_commit=False,
        # With the default, a reset to "latest" can overtake the seek: a restore then reads nothing, and silently.
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_wait_ms=options.fetch_max_wait_ms,
    )


async def restore(partition: int, store: StateStore, options: EngineOptions) -> Restored:
    """Bring the store to the changelog's end. Raises BrokenAssumption when that can't be proved."""
    topics = options.topics
    changelog = TopicPartition(topics.changelog, partition)
    sources = {name: TopicPartition(topics.source(name), partition) for name in INPUTS}
    reader = make_reader(options, partition)
    try:
        async with asyncio.timeout(options.restore_timeout_ms / 1000):
            await reader.start()
            # The source topics too: their offsets are asked below, and an unknown topic has no leader to ask.
            reader.assign([changelog, *sources.values()])
            reader.pause(*sources.values())
            begin = (await reader.beginning_offsets([changelog]))[changelog]
            end = (await reader.end_offsets([changelog]))[changelog]
            records = await _read(reader, changelog, store, begin, end)
            offsets = store.meta.offsets if store.meta else {}
            begins = await reader.beginning_offsets(list(sources.values()))
            ends = await reader.end_offsets(list(sources.values()))
    except TimeoutError:
        raise BrokenAssumption(
            f"partition {partition}: the restore did not end within {options.restore_timeout_ms} ms"
        ) from None
    finally:
        await reader.stop()
    start, unread = starting_offsets(
        partition,
        offsets,
        {name: begins[tp] for name, tp in sources.items()},
        {name: ends[tp] for name, tp in sources.items()},
    )
    return Restored(start, unread, records)


async def _read(reader: Any, changelog: TopicPartition, store: StateStore, begin: int, end: int) -> int:
    start = store.changelog_offset
    if start > end or (start < begin and start > 0):
        # Another changelog than the one the store was made from, or records deleted that the store has not seen.
        log.warning(
            "partition %d: the local state ends at offset %d, the changelog has %d to %d; wiped, restored from its"
            " beginning",
            changelog.partition, start, begin, end,
        )  # fmt: skip
        store.wipe()
        start = begin
    tip = _Tip(store)
    # With the last record that the store holds: a store is an image of this log only if the log still has that.
    records = await _follow(reader, changelog, store, max(start - 1, begin), end, tip)
    if tip.meta is not None and not tip.is_there and start > begin:
        log.warning(
            "partition %d: the local state holds epoch %d, which the changelog has not; wiped, restored from its"
            " beginning",
            changelog.partition, tip.meta.number,
        )  # fmt: skip
        store.wipe()
        records += await _follow(reader, changelog, store, begin, end, tip)
    if store.meta is None and records:
        # Every committed epoch leaves a meta record, and compaction keeps the last one.
        raise BrokenAssumption(
            f"{changelog.topic}/{changelog.partition}: {records} records were read without a meta record;"
            " the state is incomplete"
        )
    return records


class _Tip:
    """Is the last epoch that a store holds in the changelog?

    A transaction that was committed, and stored, may be aborted after all: the broker lost its markers, and
    `end_hanging` or the producer's next marker ended it. A store that kept it would go on behind events whose rows
    nobody sees.
    """

    def __init__(self, store: StateStore) -> None:
        self.meta = store.meta
        self.is_there: bool | None = None
        """None: the changelog has no epoch from there on."""

    def saw(self, key: bytes, value: bytes | None) -> None:
        """A record of the changelog, in order, from the store's last one on."""
        if self.is_there is None and self.meta is not None and key == META_KEY and value is not None:
            # The first says it for good. It need not be the store's own: compaction takes that away behind a later one.
            self.is_there = decode_meta(value).follows(self.meta)


async def _follow(
    reader: Any, changelog: TopicPartition, store: StateStore, start: int, end: int, tip: _Tip
) -> int:
    """Apply the records from `start` to `end`. Returns how many there were."""
    reader.seek(changelog, start)
    position, records = start, 0
    while position < end:
        batch = (await reader.getmany(changelog, timeout_ms=WAIT_MS, max_records=RECORDS_A_CALL)).get(
            changelog
        )
        now = await reader.position(changelog)
        if now < position:
            raise BrokenAssumption(
                f"{changelog.topic}/{changelog.partition}: the position went back from {position} to {now} during"
                " the restore; the changelog was truncated or made anew"
            )
        if batch:
            failpoints.reach("restore.batch")
            for record in batch:
                tip.saw(record.key, record.value)
            store.apply_batch([(record.key, record.value) for record in batch], batch[-1].offset + 1)
            records += len(batch)
            # Neither call above waits while something is fetched: without this, a restore stops the event loop.
            await asyncio.sleep(0)
        position = now
    if position != end:
        raise BrokenAssumption(
            f"{changelog.topic}/{changelog.partition}: the restore ended at offset {position}, not at {end}:"
            " somebody writes to this changelog although its last owner is fenced"
        )
    return records


def starting_offsets(
    partition: int, meta: Mapping[str, int], begins: Mapping[str, int], ends: Mapping[str, int]
) -> tuple[dict[str, int], dict[str, int]]:
    """Where each source topic goes on, and how many records retention took away unread.

    The meta record's offsets count, not the group's: state and position come from the same log. A topic that the meta
    record does not name is read from its beginning. An offset beyond the end means another topic than the one the
    state was made from: BrokenAssumption.
    """
    start: dict[str, int] = {}
    unread: dict[str, int] = {}
    for topic, begin in begins.items():
        wanted = meta.get(topic)
        if wanted is None:
            start[topic] = begin
        elif wanted > ends[topic]:
            raise BrokenAssumption(
                f"{topic}/{partition}: the state has read up to offset {wanted}, but the topic ends at {ends[topic]}:"
                " it was truncated or made anew; rebuild the state in a new application, or bring the topic back"
            )
        elif wanted < begin:
            start[topic], unread[topic] = begin, begin - wanted
        else:
            start[topic] = wanted
    return start, unread
