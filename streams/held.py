"""For how long readers of committed records have been held back at one place, by a transaction that is open.

Lag can't tell: it ends at the last stable offset, where readers stop. A worker's transactions end within seconds, by the
broker if need be. One that the broker has lost is ended by nobody, and everyone waits before it.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, NamedTuple, Self

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streams.engine.open_transactions import OpenTransactions
from streams.lag import MEASURE_TIMEOUT_S, LagError
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
        self._transactions = OpenTransactions(
            settings.kafka_client_options(), f"{settings.application}-probe-ends", self._places
        )
        self._stops: dict[TopicPartition, _Stop] = {}

    async def __aenter__(self) -> Self:
        await self._transactions.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transactions.__aexit__(kind, error, trace)

    async def measure(self) -> dict[str, float]:
        """Topic -> for how many seconds its worst partition has been held back where it is, 0: by nothing.

        Raises LagError when the brokers do not answer in time.
        """
        try:
            async with asyncio.timeout(MEASURE_TIMEOUT_S):
                stops = await self._transactions.held_back()
        except TimeoutError:
            raise LagError(
                f"{self._bootstrap}: no answer about the ends of topics within {MEASURE_TIMEOUT_S:.0f} s; is the broker"
                " up, and does `shopmeter topics check` find every topic?"
            ) from None
        except KafkaError as error:
            raise LagError(f"{self._bootstrap}: ends of topics can't be asked: {error!r}") from error
        return self._since(stops)

    def _since(self, stops: Mapping[TopicPartition, int]) -> dict[str, float]:
        now = self._clock()
        held: dict[str, float] = {place.topic: 0.0 for place in self._places}
        known, self._stops = self._stops, {}
        for place, offset in stops.items():
            stop = known.get(place)
            if stop is None or stop.offset != offset:
                stop = _Stop(offset, now)
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
