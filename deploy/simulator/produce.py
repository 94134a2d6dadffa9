"""Records to a real broker: history as fast as it goes, live traffic at an even pace. Every record is acknowledged."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaProducer

from deploy.simulator.batches import Batches, ProduceError
from deploy.simulator.cache import cached_history
from deploy.simulator.definitions import definitions
from deploy.simulator.history import history, new_truth
from deploy.simulator.live import Live
from deploy.simulator.scenario import Scenario
from deploy.simulator.truth import Truth
from schemas.topics import DAY_MS, DEFINITION, SOURCES, Topics

Progress = Callable[[int, int], None]
"""(records sent so far, about how many there will be; 0 when that is not known)."""
Kafka = str | Mapping[str, Any]
"""Where the brokers are, `host:port`; or all that a client needs, security too (`Settings.kafka_client_options`)."""

_BATCH_BYTES: Final = 131_072
# A record may be a little over 256 KiB (it is one of the kinds of poison) and must still reach the broker.
_REQUEST_BYTES: Final = 1_048_576
_RECORDS_BETWEEN_YIELDS: Final = 2_000
_EVENT_TIME_BETWEEN_FLUSHES_MS = 6 * 3_600_000
_TICK_SECONDS: Final = 0.04
# Behind by more than this, the schedule is moved rather than caught up: a burst would no longer be the given rate.
_MOST_BEHIND_SECONDS: Final = 0.25


async def load_history(
    scenario: Scenario,
    kafka: Kafka,
    topics: Topics,
    progress: Progress | None = None,
    *,
    limit: int | None = None,
    stamped_at_ms: int | None = None,
    cache: Path | None = None,
    compression: str | None = None,
) -> Truth:
    """Write the scenario's whole history (or its first `limit` records) and return what must come of it.

    The topics must exist. `stamped_at_ms` is the records' own time (default: now). With `cache`, a directory, the
    generated records are kept there and read back the next time. Returns when every record is acknowledged.
    Raises ProduceError.
    """
    stamped = time.time_ns() // 1_000_000 if stamped_at_ms is None else stamped_at_ms
    truth = new_truth(scenario)
    if cache is None:
        records = history(scenario, truth, stamped_at_ms=stamped)
    else:
        # A cut history has a truth of its own, so only whole ones are cached.
        if limit is not None:
            raise ValueError("load_history: limit and cache exclude each other")
        records, truth = cached_history(scenario, cache, stamped_at_ms=stamped)
    expected = scenario.expected_records if limit is None else min(limit, scenario.expected_records)
    flushes = max(1, int(scenario.days * DAY_MS) // _EVENT_TIME_BETWEEN_FLUSHES_MS)
    between_flushes = max(_RECORDS_BETWEEN_YIELDS, scenario.expected_records // flushes)
    async with _writer(kafka, topics, compression) as writer:
        sent = 0
        taken = iter(records if limit is None else islice(records, limit))
        while block := list(islice(taken, _RECORDS_BETWEEN_YIELDS)):
            await writer.write(block)
            sent += len(block)
            if sent // between_flushes > (sent - len(block)) // between_flushes:
                # A thin topic's batch fills in days of event time. Workers that run meanwhile would find the topic at
                # its end, let the watermark pass, and call its records too late.
                await writer.flush()
            if progress is not None:
                progress(sent, expected)
            await asyncio.sleep(0)  # the sender's task needs a turn, or batches pile up in memory
        await writer.flush()
    return truth


async def load_definitions(
    scenario: Scenario, kafka: Kafka, topics: Topics, truth: Truth, *, compression: str | None = None
) -> None:
    """Write what the scenario's shops say of their experiences, tests, journeys, goals and products, and account for it.

    Before the events or after them, since they have no event time; again is harmless. Raises ProduceError.
    """
    async with _writer(kafka, topics, compression, (DEFINITION,)) as writer:
        await writer.write(definitions(scenario, truth, stamped_at_ms=time.time_ns() // 1_000_000))
        await writer.flush()


async def run_live(
    scenario: Scenario,
    kafka: Kafka,
    topics: Topics,
    rate: float,
    stop_event: asyncio.Event,
    truth: Truth,
    *,
    progress: Progress | None = None,
    compression: str | None = None,
) -> Truth:
    """Write `rate` records/s of new events until `stop_event` is set, adding to `truth` (which is also returned).

    Records are spread evenly over each second. Returns when every record is acknowledged; what disorder
    still holds back has then not been sent, and is not in the truth.
    Progress is told every second or so. Raises ProduceError; the truth then holds records that may not have arrived.
    """
    if rate <= 0:
        raise ValueError(f"run_live: rate must be above 0 records/s, not {rate}")
    live = Live(going_on(scenario, time.time_ns() // 1_000_000), truth)
    async with _writer(kafka, topics, compression) as writer:
        pace = Pace(rate)
        pace.start(time.monotonic())
        sent, told = 0, time.monotonic()
        while not stop_event.is_set():
            count = pace.due(time.monotonic())
            if count:
                await writer.write(live.take(count, now_ms=time.time_ns() // 1_000_000, rate=rate))
                await writer.push()
                sent += count
            if progress is not None and time.monotonic() - told >= 1.0:
                told = time.monotonic()
                progress(sent, 0)
            try:
                await asyncio.wait_for(stop_event.wait(), _TICK_SECONDS)
            except TimeoutError:
                continue
        await writer.flush()
        if progress is not None:
            progress(sent, 0)
    return truth


def going_on(scenario: Scenario, now_ms: int) -> Scenario:
    """The same shops and people from now on, with ids of their own, so that nothing already counted comes again."""
    return msgspec.structs.replace(scenario, start_ms=now_ms, run=f"L{scenario.seed}-{now_ms:x}")


class Pace:
    """How many records are due, evenly: never more than a quarter second's worth at once."""

    def __init__(self, rate: float) -> None:
        self.rate: Final = rate
        # At slow rates a single record is due less often than that, and waiting for it is not being behind.
        self._most_behind = _MOST_BEHIND_SECONDS + 1 / rate
        self.skipped_seconds = 0.0
        """By how much the schedule was moved because the writer could not keep up."""
        self._start = 0.0
        self._given = 0

    def start(self, now: float) -> None:
        """The schedule begins at this reading of a monotonic clock (seconds)."""
        self._start = now

    def due(self, now: float) -> int:
        """Records to send now; the next call starts from there."""
        behind = (now - self._start) - self._given / self.rate
        if behind > self._most_behind:
            moved = behind - self._most_behind
            self._start += moved
            self.skipped_seconds += moved
        count = int((now - self._start) * self.rate) - self._given
        self._given += count
        return count


@asynccontextmanager
async def _writer(
    kafka: Kafka, topics: Topics, compression: str | None, shorts: tuple[str, ...] = SOURCES
) -> AsyncIterator[Batches]:
    names = {name: topics.source(name) for name in shorts}
    options = {"bootstrap_servers": kafka} if isinstance(kafka, str) else dict(kafka)
    producer = AIOKafkaProducer(
        **options,
        acks="all",
        enable_idempotence=True,
        compression_type=compression,
        max_batch_size=_BATCH_BYTES,
        max_request_size=_REQUEST_BYTES,
        linger_ms=0,
    )
    await producer.start()
    try:
        counts = {}
        for name in names.values():
            found = await producer.partitions_for(name)
            counts[name] = len(found or ())
        if len(set(counts.values())) != 1 or 0 in counts.values():
            raise ProduceError(
                f"{options['bootstrap_servers']}: the source topics need the same number of partitions, found {counts};"
                " run `shopmeter topics create`"
            )
        yield Batches(producer, names, next(iter(counts.values())))
    finally:
        await producer.stop()
