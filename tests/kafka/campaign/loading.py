"""A load in a process of its own: at thousands of records a second, whoever makes them has no time left for others."""

import asyncio
import multiprocessing
import os
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from deploy.simulator.history import history, new_truth
from deploy.simulator.scenario import Scenario
from deploy.simulator.truth import Truth
from streams.settings import Settings
from tests.kafka.campaign.load import Load

TELL_SECONDS = 0.2
STOP = "stop"


class Loading:
    """Writes a history from `run` on. `sent` and `acknowledged` as in `Load`, a moment old."""

    def __init__(self, settings: Settings, scenario: Scenario, *, stamped_at_ms: int) -> None:
        self.sent = 0
        self.acknowledged = 0
        self.truth = new_truth(scenario)
        """What is known of all that was sent; whole when `run` has returned."""
        self._here, there = multiprocessing.Pipe()
        spawn = multiprocessing.get_context("spawn")
        self._arguments = (there, settings, scenario, stamped_at_ms)
        self._spawn = spawn

    async def run(self, *, rate: float, enough: Callable[[], bool] = lambda: False) -> int:
        """Write until the history ends or `enough()`; returns how many, all acknowledged.

        RuntimeError with what went wrong over there. Cancelled: the process is ended.
        """
        process = self._spawn.Process(target=_load, args=(*self._arguments, rate), daemon=True)
        process.start()
        self._arguments[0].close()
        try:
            return await self._follow(enough)
        finally:
            process.kill()
            await asyncio.to_thread(process.join)

    async def _follow(self, enough: Callable[[], bool]) -> int:
        told = False
        while True:
            if enough() and not told:
                told = True
                self._here.send(STOP)
            if not self._here.poll():
                await asyncio.sleep(TELL_SECONDS / 4)
                continue
            # The account of millions takes seconds to read: others go on meanwhile.
            try:
                said = await asyncio.to_thread(self._here.recv)
            except EOFError:
                raise RuntimeError("the process that wrote the records has ended") from None
            if isinstance(said, str):
                raise RuntimeError(said)
            if isinstance(said, Truth):
                self.truth = said
                return self.sent
            self.sent, self.acknowledged = said


def _load(there: Connection, settings: Settings, scenario: Scenario, stamped_at_ms: int, rate: float) -> None:
    truth = new_truth(scenario)
    load = Load(settings, history(scenario, truth, stamped_at_ms=stamped_at_ms))
    stopped = threading.Event()

    def listen() -> None:
        try:
            there.recv()
        except EOFError:
            # Whoever wanted it is dead: a load that went on would be at it for hours.
            os._exit(1)
        stopped.set()

    threading.Thread(target=listen, daemon=True).start()

    async def run() -> None:
        telling: asyncio.Task[Any] = asyncio.create_task(tell())
        await load.run(rate=rate, enough=stopped.is_set)
        telling.cancel()

    async def tell() -> None:
        while True:
            there.send((load.sent, load.acknowledged))
            await asyncio.sleep(TELL_SECONDS)

    try:
        asyncio.run(run())
        there.send((load.sent, load.acknowledged))
        there.send(truth)
    except Exception as error:
        there.send(f"the load failed: {type(error).__name__}: {error}")
