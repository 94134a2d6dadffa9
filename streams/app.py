"""The table of contents of the worker: event topics and definitions in, one agent, one engine, epochs out.

shop.session  shop.impression  shop.click  shop.cart  shop.order  shop.journey-node  shop.definition  shopmeter-forwarded
      │ chunks of up to 2,000 records, in offset order, aligned in event time while catching up
      ▼
agent `chunks`  ──>  engine  ──>  processor of the partition
      │ every half second (two where more is always waiting), or when much is pending: one transaction a partition
      ▼
changelog (state, offsets)    shop.rows    shop.dead-letter
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faust

from schemas.epoch import ProcessorFactory
from schemas.topics import Kind
from streams.engine.engine import Engine, wall_clock_ms
from streams.engine.fatal import Exit, exit_now
from streams.engine.fetching import seconds
from streams.engine.options import EngineOptions
from streams.engine.state import Budget, Identity, MemoryStore, StateStore, open_rocks
from streams.engine.takeover import OpenStore
from streams.engine.telemetry import EngineTelemetry
from streams.engine.transport import ChunkSchema, ChunkTransport
from streams.settings import Settings

# Fetches between the client and processing: enough that neither waits for the other, few enough to bound memory.
QUEUED_FETCHES = 1

log = logging.getLogger("shopmeter.app")


class ShopmeterApp(faust.App):  # type: ignore[misc]
    """A Faust app whose transport brings chunks and whose commits are the engine's epochs."""

    def __init__(self, *args: Any, engine: Engine, **options: Any) -> None:
        self.engine = engine
        super().__init__(*args, **options)

    def _new_transport(self) -> ChunkTransport:
        return ChunkTransport(self.conf.broker_consumer, self, engine=self.engine)

    def _new_producer_transport(self) -> ChunkTransport:
        return self._new_transport()

    def FlowControlQueue(self, maxsize: int | None = None, *, clear_on_resume: bool = False) -> Any:
        """Queues that Faust does not empty on resume: it resumes more often than it rebalances, and a chunk lost
        that way would be a hole. The engine itself drops chunks of an earlier assignment."""
        return super().FlowControlQueue(maxsize, clear_on_resume=False)

    async def on_stop(self) -> None:
        """Commit and drop everything before Faust stops its own parts."""
        await self.engine.shutdown()
        await super().on_stop()

    def _crash(self, reason: BaseException) -> None:
        """Faust marks every parent of a part that crashed. The process ends: its orderly stop would commit."""
        if not self.engine.closed:
            self.engine.exit("a part of the worker crashed", reason)
        super()._crash(reason)


def build_app(
    options: EngineOptions,
    factory: ProcessorFactory,
    open_store: OpenStore,
    *,
    telemetry: EngineTelemetry | None = None,
    exit: Exit = exit_now,
    data_dir: Path | None = None,
) -> ShopmeterApp:
    """The app, not started. `data_dir`: where Faust may make its own (empty) directories."""
    engine = Engine(options, factory, open_store, telemetry=telemetry, exit=exit)
    app = ShopmeterApp(
        options.application,
        engine=engine,
        broker=[f"kafka://{host}" for host in str(options.kafka["bootstrap_servers"]).split(",")],
        datadir=str(data_dir or Path(".")),
        processing_guarantee="at_least_once",
        broker_commit_interval=options.tick_seconds,
        broker_session_timeout=seconds(options.session_timeout_ms),
        broker_heartbeat_interval=seconds(options.heartbeat_ms),
        broker_rebalance_timeout=seconds(options.rebalance_timeout_ms),
        stream_buffer_maxsize=QUEUED_FETCHES,
        # We commit on revoke ourselves; Faust's waiting has no end.
        stream_wait_empty=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        # Faust's server binds 0.0.0.0:6066 and serves table data.
        web_enabled=False,
        worker_redirect_stdouts=False,
    )
    topics = options.topics
    source = app.topic(*topics.inputs, schema=ChunkSchema(), internal=False)

    @app.agent(source, name=f"{options.application}.chunks", concurrency=1)  # type: ignore[untyped-decorator]
    async def chunks(stream: Any) -> None:
        """Every chunk of every source topic, in order. Nothing escapes `take`: it ends the process first."""
        async for event in stream.noack().events():
            for chunk in event.value:
                await engine.take(chunk)
                # A commit takes a dozen turns, and must not wait for a whole fetch at each of them.
                await asyncio.sleep(0)

    return app


def engine_options(settings: Settings) -> EngineOptions:
    """What the engine must know of the settings."""
    worker = settings.worker
    return EngineOptions(
        topics=settings.topics,
        partitions=settings.partitions,
        instance=worker.instance,
        kafka=settings.kafka_client_options(),
        epoch_interval_ms=worker.epoch_interval_ms,
        epoch_max_bytes=worker.epoch_max_bytes,
        commit_timeout_ms=worker.commit_timeout_ms,
        transaction_timeout_ms=worker.transaction_timeout_ms,
        session_timeout_ms=worker.session_timeout_ms,
        heartbeat_ms=worker.heartbeat_ms,
        chunk_max_records=worker.chunk_max_records,
        idle_after_ms=worker.idle_after_ms,
        alignment_ms=worker.alignment_ms,
    )


def store_opener(
    settings: Settings, *, cluster_id: str, now_ms: Callable[[], int] = wall_clock_ms
) -> OpenStore:
    """Opens a partition's store on disk or in memory, as the settings say.

    `cluster_id`: state of another cluster's changelog is wiped, never continued.
    """
    if settings.worker.state_backend == "memory":
        return MemoryStore
    topics = settings.topics
    retention_ms = int(
        next(topic.config["delete.retention.ms"] for topic in topics.all() if topic.kind is Kind.CHANGELOG)
    )

    budget = Budget()  # of all partitions: one each would be a cache of 32 MiB each

    def open_store(partition: int) -> StateStore:
        opened = open_rocks(
            settings.state_dir,
            identity=Identity(topics.changelog, cluster_id, partition),
            now_ms=now_ms,
            delete_retention_ms=retention_ms,
            budget=budget,
        )
        if opened.wiped is not None:
            log.warning("state of partition %d wiped: %s", partition, opened.wiped.detail)
        return opened.store

    return open_store
