"""Faust's transport with chunks for messages and epochs for commits.

Conductor, queues, streams, agents, the consumer thread, group membership and the commit timer are Faust's. Replaced
are: what a message is, what a commit does, and what happens to state when partitions come and go.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import faust
from aiokafka import TopicPartition
from aiokafka.errors import ConsumerStoppedError
from faust.transport.drivers.aiokafka import Consumer, Producer, Transport
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from streams.engine.chunks import Chunk
from streams.engine.engine import Engine
from streams.engine.fetching import ChunkThread
from streams.engine.options import EngineOptions

# How long a fetch call waits in the consumer thread. What alignment holds back is looked at again after it.
TAKE_SECONDS = 0.1
NOTHING_WANTED_SECONDS = 0.05


class ChunkSchema(faust.Schema):  # type: ignore[misc]
    """Passes chunks through undecoded: bytes are the processors' business, and a decode error would be acked."""

    def compile(self, app: Any, **options: Any) -> Callable[..., Awaitable[Any]]:
        """The function that makes an event of a message."""
        create_event = app.create_event

        async def decode(message: Any, *, propagate: bool = False) -> Any:
            return create_event(None, message.value, None, message)

        return decode


class ChunkConsumer(Consumer):  # type: ignore[misc]
    """Faust's consumer, asking the engine at every turn."""

    RebalanceListener = Consumer.RebalanceListener

    def __init__(self, transport: "ChunkTransport", *args: Any, **kwargs: Any) -> None:
        self.engine = transport.engine
        self.options: EngineOptions = transport.engine.options
        super().__init__(transport, *args, **kwargs)
        self.engine.source = self

    def _new_consumer_thread(self) -> ChunkThread:
        return ChunkThread(self, loop=self.loop, beacon=self.beacon)

    async def open(self, offsets: dict[TopicPartition, int], assignment: int) -> bool:
        """Read these topic-partitions from these offsets; see ChunkThread."""
        return await self._thread.open(offsets, assignment)  # type: ignore[no-any-return]

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """All chunks of a fetch as one Faust message. Never yields what the engine does not want now."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        # A copy: Faust's own set changes while the consumer thread reads it, and an empty one would mean "all".
        active = frozenset(self._get_active_partitions())
        assignment, wanted = self.engine.wanted()
        wanted = {tp: size for tp, size in wanted.items() if tp in active}
        if not wanted or self.should_stop:
            await self.engine.moved(NOTHING_WANTED_SECONDS)
            return
        try:
            chunks, ends = await self._thread.take(wanted, assignment, TAKE_SECONDS)
        except ConsumerStoppedError:
            raise  # Faust's fetcher knows what to do while stopping
        except Exception as error:
            self.engine.exit("reading the source topics failed", error)
        self.engine.note_ends(assignment, ends)
        for chunk in chunks:
            self.engine.queued(chunk)
        if chunks:
            yield self._message(chunks, self.app.consumer_generation_id)

    def _message(self, chunks: list[Chunk], generation: int) -> tuple[TP, ConsumerMessage]:
        """Under the first one's place: of one place, what Faust sees ascends."""
        first = chunks[0]
        tp = TP(self.options.topics.source(first.topic), first.partition)
        message = ConsumerMessage(
            tp.topic,
            tp.partition,
            first.end - 1,
            None,
            0,
            None,
            None,
            chunks,
            None,
            -1,
            -1,
            tp,
            generation_id=generation,
        )
        return tp, message

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit and drop everything first; Faust then empties its queues."""
        if revoked and not self._thread.is_member() and not self.engine.closed:
            # aiokafka would join again under the same slot, and throw out the worker that has it now.
            self.engine.exit(
                "the group does not know this worker any more: its session ran out, or another worker runs in slot"
                f" {self.options.instance!r}"
            )
        await self.engine.revoke()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Begin to fence, restore and open. Not awaited to the end: heartbeats begin after this returns."""
        self.engine.assign(frozenset(TopicPartition(tp.topic, tp.partition) for tp in assigned))
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Nothing: the engine seeks each partition to its meta record's offsets when its state is complete."""

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Faust's commit timer: let the engine begin an epoch for each partition that has none in flight."""
        error = self._thread.group_error()
        if error is not None and not self.engine.closed:
            self.engine.exit("the group can't be kept or joined", error)
        await self.engine.tick()
        return True

    async def on_stop(self) -> None:
        """Nothing of Faust's: the engine has committed before the app began to stop."""
        self.transport._topic_waiters.clear()

    def ack(self, message: Any) -> bool:
        """Nothing: to process a chunk is to ack it, in one step of the engine."""
        message.acked = True
        return True

    def on_buffer_full(self, tp: TP) -> None:
        """Nothing: a full queue makes the fetch wait, which is backpressure enough."""

    def on_buffer_drop(self, tp: TP) -> None:
        """Nothing; see on_buffer_full."""

    async def verify_all_partitions_active(self) -> None:
        """Nothing: the engine's watchdog acts on what Faust only logs."""

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Nothing: positions, not offsets, must join; see `chunks`."""


class IdleProducer(Producer):  # type: ignore[misc]
    """Faust's own producer, never started: each partition has a transactional one of its own."""

    async def on_start(self) -> None:
        """Nothing to connect."""

    async def on_stop(self) -> None:
        """Nothing to disconnect."""

    async def flush(self) -> None:
        """Nothing to flush."""


class ChunkTransport(Transport):  # type: ignore[misc]
    """Makes the two above."""

    Consumer = ChunkConsumer
    Producer = IdleProducer
    engine: Engine

    def __init__(self, url: Any, app: Any, *, engine: Engine) -> None:
        self.engine = engine
        super().__init__(url, app)
