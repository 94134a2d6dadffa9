"""The probe: measures the lag of all groups, compares the accounts, and serves both, in a process of its own.

It must not share the worker's event loop, nor its process: what it is for is to be right when the worker hangs.
`python -m streams.probe` runs it from the settings.
"""

import asyncio
import logging
import signal
import time
from contextlib import suppress
from typing import Final

from aiokafka.errors import KafkaError

from streams.conservation import watch
from streams.engine.assigning import cancel
from streams.health import HealthServer
from streams.held import HeldReader
from streams.lag import LagError, LagReader
from streams.settings import Settings
from streams.telemetry import ProbeSignals

INTERVAL_SECONDS: Final = 2.0
ROLE: Final = "probe"
INSTANCE: Final = "0"
LOOPBACK: Final = "127.0.0.1"

log = logging.getLogger("shopmeter.probe")


async def run_probe(
    settings: Settings,
    *,
    interval_s: float = INTERVAL_SECONDS,
    host: str = LOOPBACK,
    port: int = 0,
    stop: asyncio.Event | None = None,
) -> None:
    """Measure every `interval_s` seconds until SIGTERM, SIGINT or `stop`, and serve what was measured.

    Brokers that do not answer end nothing: the lag series go, `/ready` says why, and it tries again. Raises HealthError
    when the port can't be had.
    """
    if stop is None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    signals = ProbeSignals(settings.application, settings.partitions)
    server = HealthServer(
        signals, role=ROLE, instance=INSTANCE, data_dir=settings.data_dir, host=host, port=port
    )
    async with server as endpoint:
        log.info("lag on %s/metrics", endpoint.url)
        work = (
            asyncio.create_task(_measure_for_ever(settings, signals, interval_s)),
            # A task of its own: a ClickHouse that hangs must not hold up the lag.
            asyncio.create_task(watch(settings, signals, lambda: signals.lag_s)),
        )
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([*work, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        await cancel(work)
        for task in work:
            with suppress(asyncio.CancelledError):
                task.result()  # raises what ended it, a bug of ours


async def _measure_for_ever(settings: Settings, signals: ProbeSignals, interval_s: float) -> None:
    told = ""
    while True:
        reason = ""
        try:
            # New connections after every failure: whatever state the old ones were in is gone.
            async with LagReader(settings) as reader, HeldReader(settings) as held:
                while not reason:
                    try:
                        await _measure(reader, held, signals)
                        told = ""
                        await asyncio.sleep(interval_s)
                    except (KafkaError, LagError) as error:
                        # Before the connections close, which takes seconds: no old lag is told meanwhile.
                        reason = _failed(settings, signals, error)
        except (KafkaError, LagError) as error:
            reason = _failed(settings, signals, error)
        if reason != told:  # a broker that is away for an hour is one line
            log.warning("lag is unknown: %s", reason)
            told = reason
        await asyncio.sleep(interval_s)


def _failed(settings: Settings, signals: ProbeSignals, error: Exception) -> str:
    reason = str(error) if isinstance(error, LagError) else f"{settings.kafka.bootstrap}: {error}"
    signals.on_failed(reason)
    return reason


async def _measure(reader: LagReader, held: HeldReader, signals: ProbeSignals) -> None:
    began = time.perf_counter()
    held_s = await held.measure()
    groups = await reader.measure()
    signals.on_measured(groups, held_s, time.time_ns() // 1_000_000, time.perf_counter() - began)
