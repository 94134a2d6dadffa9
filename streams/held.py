"""For how long readers of committed records have been held back at one place, by a transaction that is open.

Lag can't tell: it ends at the last stable offset, where readers stop. A worker's transactions end within seconds, by the
broker if need be. One that the broker has lost is ended by nobody, and everyone waits before it.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.lag import MEASURE_TIMEOUT_S, LagError, close
from streams.settings import Settings

TRANSACTIONS: Final = 3
"""A transaction that is open for longer than so many times the transaction timeout is nobody's."""

log = logging.getLogger("shopmeter.probe")


class _Stop(NamedTuple):
    offset: int
    since: float
    is_told: bool = False


class HeldReader:
    """Measures what is held back. `async with`; one measurement at a time."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        topics, numbers = settings.topics, range(settings.partitions)
        self._places = [
            TopicPartition(topics.progress, 0),
            *(
                TopicPartition(topic, number)
                for topic in (*topics.inputs, topics.changelog, topics.rows, topics.dead_letter)
                for number in numbers
            ),
        ]
        self._bootstrap = settings.kafka.bootstrap
        self._patience_s = TRANSACTIONS * settings.worker.transaction_timeout_ms / 1000
        self._clock = clock
        # In this order: what is committed between the two questions would show as held back otherwise.
        self._written, self._stable = (
            AIOKafkaConsumer(
                **settings.kafka_client_options(),
                client_id=f"{settings.application}-probe-{isolation}",
                group_id=None,
                isolation_level=isolation,
            )
            for isolation in ("read_uncommitted", "read_committed")
        )
        self._stops: dict[TopicPartition, _Stop] = {}
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opening:
            for consumer in (self._written, self._stable):
                opening.push_async_callback(close, consumer.stop)
                await consumer.start()
                consumer.assign(self._places)  # of an unknown topic there is no leader to ask
                consumer.pause(*self._places)
            self._open = opening.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    async def measure(self) -> dict[str, float]:
        """Topic -> for how many seconds its worst partition has been held back where it is, 0: by nothing.

        Raises LagError when the brokers do not answer in time.
        """
        try:
            async with asyncio.timeout(MEASURE_TIMEOUT_S):
                written = await self._written.end_offsets(self._places)
                stable = await self._stable.end_offsets(self._places)
        except TimeoutError:
            raise LagError(
                f"{self._bootstrap}: no answer about the ends of topics within {MEASURE_TIMEOUT_S:.0f} s; is the broker"
                " up, and does `shopmeter topics check` find every topic?"
            ) from None
        except KafkaError as error:
            raise LagError(f"{self._bootstrap}: ends of topics can't be asked: {error!r}") from error
        return self._compare(written, stable)

    def _compare(self, written: Mapping[Any, int], stable: Mapping[Any, int]) -> dict[str, float]:
        now = self._clock()
        held: dict[str, float] = {place.topic: 0.0 for place in self._places}
        for place in self._places:
            if stable[place] >= written[place]:
                self._stops.pop(place, None)
                continue
            stop = self._stops.get(place)
            if stop is None or stop.offset != stable[place]:
                stop = _Stop(stable[place], now)
            seconds = now - stop.since
            if seconds > self._patience_s and not stop.is_told:
                log.error(
                    "%s/%d: readers have stood at offset %d for %.0f s, before a transaction that nobody ends",
                    place.topic, place.partition, stop.offset, seconds,
                )  # fmt: skip
                stop = stop._replace(is_told=True)
            self._stops[place] = stop
            held[place.topic] = max(held[place.topic], seconds)
        return held
