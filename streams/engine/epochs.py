"""The commit of one partition's epoch. Its steps are numbered, since their order is the guarantee.

1. In one synchronous step: the processor's flush and the offsets of all chunks it has processed (`Partition.cut`).
2. One Kafka transaction on the partition's own producer: state changelog, rows, outgoing records.
3. Every delivery is awaited and checked: aiokafka would commit a transaction in which a batch failed. Meanwhile the
   source offsets join the transaction.
4. It is committed. An error, or no success in time: the process ends.
5. Only now the local store: it may lag the committed changelog, it never leads it.

Between 1 and 5 the partition goes on processing into its next epoch.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from schemas.epoch import Epoch
from schemas.topics import MAX_RECORD_BYTES
from streams import failpoints
from streams.engine.options import BrokenAssumption, EngineOptions
from streams.engine.outbox import BATCH_BYTES, Batch, changelog_batches, output_batches
from streams.engine.state import Pending


class Cut(NamedTuple):
    """What step 1 took, all of one moment."""

    epoch: Epoch
    pending: Pending
    offsets: Mapping[str, int]
    """Short source topic -> next offset to read."""
    counts: Mapping[tuple[str, str, str], int]
    first_chunk_at: float
    """Monotonic seconds."""
    newest_ms: int
    """The newest event time that the partition has taken."""
    records: int
    """Source records that were read for it; 0: only time has passed."""


class Committed(NamedTuple):
    """What the transaction left: the changelog offset to go on from, and its size."""

    changelog_offset: int
    changelog_bytes: int


def make_producer(options: EngineOptions, partition: int) -> AIOKafkaProducer:
    """The partition's transactional producer. To start it fences the last owner and aborts what it left open."""
    return AIOKafkaProducer(
        **options.kafka,
        client_id=f"{options.application}-{options.instance}-{partition}",
        transactional_id=options.transactional_id(partition),
        transaction_timeout_ms=options.transaction_timeout_ms,
        acks="all",
        linger_ms=0,
        max_batch_size=BATCH_BYTES,
        max_request_size=MAX_RECORD_BYTES,
        compression_type=options.compression,
        # One request may not outlive the epoch's deadline.
        request_timeout_ms=options.commit_timeout_ms,
        retry_backoff_ms=20,
    )


async def commit(cut: Cut, *, producer: Any, partition: int, options: EngineOptions) -> Committed:
    """Steps 2 to 4. Raises whatever went wrong, TimeoutError included; the caller ends the process then."""
    steps = asyncio.ensure_future(_steps(cut, producer, partition, options))
    # aiokafka's sender dies when it is fenced; waiting for our own futures alone would last until the deadline.
    sender = producer._sender.sender_task
    try:
        async with asyncio.timeout(options.commit_timeout_ms / 1000):
            await asyncio.wait([steps, sender], return_when=asyncio.FIRST_COMPLETED)
            if not steps.done() and not sender.cancelled() and (error := sender.exception()) is not None:
                raise error
            return await steps
    except TimeoutError:
        raise TimeoutError(f"no success within {options.commit_timeout_ms} ms") from None
    finally:
        if not steps.done():
            steps.cancel()


async def _steps(cut: Cut, producer: Any, partition: int, options: EngineOptions) -> Committed:
    topics = options.topics
    # 2. the transaction
    await producer.begin_transaction()
    failpoints.reach("epoch.begun")
    changelog = [
        await _send(producer, batch) for batch in changelog_batches(producer, topics, partition, cut.pending)
    ]
    outputs = [
        await _send(producer, batch) for batch in output_batches(producer, topics, partition, cut.epoch)
    ]
    failpoints.reach("epoch.sent")
    if not changelog:
        raise BrokenAssumption(f"epoch {cut.pending.number} of partition {partition} has no changelog record")
    # 3. every delivery and the offsets, which need not wait for each other: all are of the transaction
    offsets = {
        TopicPartition(topics.source(topic), partition): OffsetAndMetadata(offset, "")
        for topic, offset in cut.offsets.items()
    }
    sending = asyncio.ensure_future(producer.send_offsets_to_transaction(offsets, options.application))
    try:
        delivered = await asyncio.gather(*[delivery for _, delivery in (*changelog, *outputs)])
        failpoints.reach("epoch.delivered")
        await sending
    finally:
        sending.cancel()
    failpoints.reach("epoch.offsets")
    # 4. the commit
    await producer.commit_transaction()
    failpoints.reach("epoch.committed")
    batch, metadata = changelog[-1][0], delivered[len(changelog) - 1]
    return Committed(
        changelog_offset=metadata.offset + batch.builder.record_count(),
        changelog_bytes=sum(batch.builder.size() for batch, _ in changelog),
    )


async def _send(producer: Any, batch: Batch) -> tuple[Batch, Any]:
    """Hand a batch to the sender. Returns at once unless a batch for the same topic-partition still waits there."""
    delivery = await producer.send_batch(batch.builder, batch.topic, partition=batch.partition)
    if batch.builder.size() >= BATCH_BYTES // 2:
        await asyncio.sleep(0)  # a large epoch must not hold up heartbeats and other partitions' commits
    return batch, delivery


def elapsed(since: float) -> float:
    """Seconds since a monotonic moment."""
    return time.monotonic() - since
