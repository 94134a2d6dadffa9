"""The worker process: builds the app, runs it until SIGTERM or SIGINT, ends with 0 when all it did is committed."""

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import faust
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError

from schemas.epoch import ProcessorFactory
from streams.app import ShopmeterApp, build_app, engine_options, store_opener
from streams.engine import allocator
from streams.engine.fatal import Exit, exit_now
from streams.engine.fetching import seconds
from streams.engine.options import EngineOptions
from streams.engine.telemetry import EngineTelemetry
from streams.engine.watchdog import Watchdog
from streams.settings import Settings
from streams.topics import Problem, TopicsError, check_topics

# The epoch has its own deadline; this one is for what Faust does after everything is committed and given back.
STOP_SECONDS = 4.0
# Share of the session after which a process that stood still must not go on: its partitions may be another's.
SESSION_SHARE = 0.8
BEAT_SECONDS = 0.5
EXIT_CONFIG = 78  # EX_CONFIG
# A broker that has just started answers before it knows itself.
BROKER_READY_SECONDS = 30.0
BROKER_POLL_SECONDS = 0.25

log = logging.getLogger("shopmeter.worker")


class _Worker(faust.Worker):  # type: ignore[misc]
    """Faust's worker without its terminal decorations; tells when the app has started."""

    when_started: Callable[[], None]

    def install_signal_handlers(self) -> None:
        """SIGINT and SIGTERM end the worker. Nothing else does anything."""
        super().install_signal_handlers()
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            # Faust would write every task with its variables to the log, customers' records among them, or wait in a
            # debugger for a terminal that is not there.
            self.loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)

    async def on_startup_finished(self) -> None:
        """Everything imported and built by now stays for ever: freeze it."""
        self.when_started()


def run_app(app: ShopmeterApp, options: EngineOptions, *, exit: Exit = exit_now) -> int:
    """Run until a signal; 0 after an orderly stop. Anything wrong ends the process with 70 and does not return."""
    engine = app.engine
    watchdog = Watchdog(
        engine,
        exit,
        loop_lag=seconds(options.loop_lag_ms),
        suspended=seconds(options.session_timeout_ms) * SESSION_SHARE,
    )
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    worker = _Worker(app, loop=loop, quiet=True, override_logging=False, redirect_stdouts=False)
    worker.spinner = None
    worker.when_started = engine.collector.start

    def beat() -> None:
        watchdog.beat()
        loop.call_later(BEAT_SECONDS, beat)

    def stopped() -> None:
        # All is committed and closed. Faust's own stop has waits without an end; none may keep the process.
        watchdog.stop()
        timer = threading.Timer(STOP_SECONDS, _leave)
        timer.daemon = True
        timer.start()

    engine.on_closed = stopped
    loop.call_soon(beat)
    watchdog.start()
    try:
        worker.execute_from_commandline()
    except SystemExit as ended:
        if not engine.closed:
            exit(f"the worker ended by itself with {ended.code}")
    except Exception as error:
        if not engine.closed:
            exit("the worker ended by itself", error)
        log.warning("Faust's stop failed after everything was committed: %r", error)
    finally:
        watchdog.stop()
        engine.collector.stop()
    return 0


def _leave() -> None:
    log.info("everything is committed; leaving without waiting for the rest")
    sys.stderr.flush()
    os._exit(0)


def run_worker(
    settings: Settings,
    factory: ProcessorFactory,
    *,
    telemetry: EngineTelemetry | None = None,
    services: Sequence[Any] = (),
) -> int:
    """Run a worker in this process until SIGTERM or SIGINT; the exit code.

    0: stopped by a signal, everything processed is committed. 78: the topics are not as they must be, nothing was
    read. 70 (never returned, the process ends): anything else. `services`: mode services (an HTTP server for metrics)
    that start and stop with the app.
    """
    allocator.settle()
    try:
        cluster_id, problems = asyncio.run(_preflight(settings))
    except (KafkaError, OSError, TopicsError) as error:
        exit_now(f"{settings.kafka.bootstrap}: the topics can't be checked", error)
    if problems:
        for problem in problems:
            log.critical("topics: %s", problem)
        return EXIT_CONFIG
    options = engine_options(settings)
    app = build_app(
        options,
        factory,
        store_opener(settings, cluster_id=cluster_id),
        telemetry=telemetry,
        data_dir=settings.data_dir,
    )
    for service in services:
        app.service(service)
    return run_app(app, options)


async def _preflight(settings: Settings) -> tuple[str, list[Problem]]:
    """The cluster's id, and everything about the topics that must be mended before a worker may start.

    Waits for a broker that answers without being ready; one that can't be reached is an error at once.
    """
    deadline = time.monotonic() + BROKER_READY_SECONDS
    while True:
        try:
            return await _ask(settings)
        except KafkaError as error:
            if not error.retriable or isinstance(error, KafkaConnectionError) or time.monotonic() > deadline:
                raise
            log.info("%s is not ready: %s", settings.kafka.bootstrap, error)
            await asyncio.sleep(BROKER_POLL_SECONDS)


async def _ask(settings: Settings) -> tuple[str, list[Problem]]:
    problems = await check_topics(settings)
    admin = AIOKafkaAdminClient(**settings.kafka_client_options())
    try:
        await admin.start()
        cluster = await admin.describe_cluster()
    finally:
        await admin.close()
    return str(cluster["cluster_id"]), problems
