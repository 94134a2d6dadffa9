"""Transactions that the broker holds for complete although their markers are missing, ended before a state is restored.

A broker that is stopped while it completes a transaction can lose its markers and note it as complete all the same (seen
with Kafka 4.4.0: SIGTERM a few milliseconds after the commit). The producer's next start ends nothing then, readers stop
before the records, and the next marker of the same producer id decides about them, whatever they are: a state restored
without an epoch, whose rows are seen later. So what hangs is aborted, in all topics at once, before anything is read.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any, Final

from aiokafka import TopicPartition

from schemas.topics import Topics
from streams import failpoints
from streams.engine.open_transactions import OpenTransactions
from streams.engine.options import BrokenAssumption, EngineOptions

MARKERS_WAIT_S: Final = 0.05

log = logging.getLogger("shopmeter.engine")


async def end_hanging(options: EngineOptions, producers: Mapping[int, Any]) -> None:
    """Abort what hangs in these partitions; their producers have started, and so nothing else can be open.

    Raises BrokenAssumption when only part of an epoch hangs: the rest was seen already and can't be taken back.
    """
    places = [place for number in producers for place in _whole(options.topics, number)]
    client_id = f"{options.application}-{options.instance}-ends"
    async with OpenTransactions(options.kafka, client_id, places) as transactions:
        hanging = await transactions.held_back()
        for number, producer in producers.items():
            changelog, rows = _whole(options.topics, number)
            if changelog not in hanging and rows not in hanging:
                continue
            if not (changelog in hanging and rows in hanging):
                only, other = (changelog, rows) if changelog in hanging else (rows, changelog)
                raise BrokenAssumption(
                    f"{only.topic}/{number}: records from offset {hanging[only]} on belong to a transaction that nobody"
                    f" will end, and {other.topic}/{number} has it complete: the broker lost a marker, and state and"
                    " rows differ; start a new application, which computes both again"
                )
            log.error(
                "%s/%d: records from offset %d on belong to a transaction that the broker never ended; aborted, and"
                " processed again",
                changelog.topic, number, hanging[changelog],
            )  # fmt: skip
            await _abort(producer, _written(options, number))
        if hanging:
            await _ended(transactions, options.commit_timeout_ms / 1000)


async def _ended(transactions: OpenTransactions, patience_s: float) -> None:
    """Wait for the markers, which come behind the answer. Raises BrokenAssumption when they do not."""
    deadline = time.monotonic() + patience_s
    while left := await transactions.held_back():
        if time.monotonic() >= deadline:
            raise BrokenAssumption(f"transactions hang after they were aborted, at {left}")
        await asyncio.sleep(MARKERS_WAIT_S)


def _whole(topics: Topics, number: int) -> tuple[TopicPartition, TopicPartition]:
    """Changelog and rows: every epoch writes to both, and nobody else does."""
    return TopicPartition(topics.changelog, number), TopicPartition(topics.rows, number)


def _written(options: EngineOptions, number: int) -> list[TopicPartition]:
    """Wherever an epoch of the partition may have written."""
    topics = options.topics
    return [
        *_whole(topics, number),
        TopicPartition(topics.dead_letter, number),
        TopicPartition(topics.progress, 0),
        *(TopicPartition(topics.forwarded, to) for to in range(options.partitions)),
    ]


async def _abort(producer: Any, places: list[TopicPartition]) -> None:
    """An aborted transaction over these: its markers end what hangs there of the same producer id."""
    await producer.begin_transaction()
    for topic in {place.topic for place in places}:
        await producer.partitions_for(topic)
    # Marked are the places that have joined the transaction, also when it is broken off. They join in one request, since
    # nothing here waits: else some would be ended, the others hang on, and nobody would know.
    sent = [
        await producer.send(place.topic, b"", key=b"aborted", partition=place.partition) for place in places
    ]
    failpoints.reach("hanging.sent")
    await asyncio.gather(*sent)
    await producer.abort_transaction()
