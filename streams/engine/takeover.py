"""A partition changes hands: the last owner fenced, its state made complete, then it is processed here.

What is cancelled on the way (the next rebalance came first) gives everything back that it had opened.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

from schemas.epoch import ProcessorFactory
from streams.engine.assigning import gather_or_cancel
from streams.engine.options import EngineOptions
from streams.engine.pace import Pace
from streams.engine.partition import Partition
from streams.engine.restore import Restored
from streams.engine.state import StateStore
from streams.engine.telemetry import EngineTelemetry

log = logging.getLogger("shopmeter.engine")

STOP_SECONDS: Final = 5.0

OpenStore = Callable[[int], StateStore]
"""Partition -> its store, as the disk has it. Never restored yet."""

EndHanging = Callable[[EngineOptions, Mapping[int, Any]], Awaitable[None]]

Restore = Callable[[int, StateStore, EngineOptions], Awaitable[Restored]]

Enter = Callable[[Partition, Mapping[str, int]], Awaitable[None]]
"""Begins to process a partition from these offsets, by short topic. Once it returns, it owns store and producer."""


class Takeover:
    """How a worker makes partitions its own."""

    def __init__(
        self,
        options: EngineOptions,
        factory: ProcessorFactory,
        open_store: OpenStore,
        *,
        make_producer: Callable[[EngineOptions, int], Any],
        end_hanging: EndHanging,
        restore: Restore,
        telemetry: EngineTelemetry,
        pace: Pace,
    ) -> None:
        self._options = options
        self._factory = factory
        self._open_store = open_store
        self._make_producer = make_producer
        self._end_hanging = end_hanging
        self._restore = restore
        self._telemetry = telemetry
        self._pace = pace

    async def run(self, numbers: list[int], enter: Enter) -> None:
        """Take all of these over; each enters when it is ready. Cancelled: what has not entered is given back.

        Anything else that is raised must end the process: producers may be fenced, and stores half restored.
        """
        producers = {number: self._make_producer(self._options, number) for number in numbers}
        opened: dict[int, StateStore] = {}
        try:
            # Producers first, all of them: each fences the last owner and ends the transaction it left open, so
            # that the changelog's end and the state can't change any more once they are read.
            await gather_or_cancel(producer.start() for producer in producers.values())
            await self._end_hanging(self._options, producers)
            await gather_or_cancel(self._one(number, producers, opened, enter) for number in numbers)
        except asyncio.CancelledError:
            for store in opened.values():
                store.close()
            await stop_producers(producers.values())
            raise

    async def _one(
        self, number: int, producers: dict[int, Any], opened: dict[int, StateStore], enter: Enter
    ) -> None:
        began = time.monotonic()
        store = opened[number] = self._open_store(number)
        restored = await self._restore(number, store, self._options)
        for topic, records in restored.unread.items():
            log.error(
                "%s/%d: %d records were deleted by retention before they were read", topic, number, records
            )
            self._telemetry.on_unread_expired(topic, number, records)
        meta = store.meta.processor if store.meta else None
        partition = Partition(
            number,
            processor=self._factory(number, store, meta),
            store=store,
            producer=producers[number],
            begin=restored.begin,
            options=self._options,
            pace=self._pace,
        )
        await enter(partition, restored.begin)
        # No turn of the loop lies between the entering and this: a cancellation closes the store either here or there.
        del opened[number], producers[number]
        self._telemetry.on_restore(number, restored.records, time.monotonic() - began)


async def stop_producers(producers: Iterable[Any]) -> None:
    """Stop them all, and wait for that, but not for ever."""
    stops = [asyncio.ensure_future(producer.stop()) for producer in producers]
    if stops:
        _, late = await asyncio.wait(stops, timeout=STOP_SECONDS)
        for task in late:
            # Nothing is in flight, so nothing is lost; a socket that does not close must not hold a rebalance.
            task.cancel()
