"""JSON Lines to Kafka: one `{"topic": "shop.order", "value": {...}}` a line, keyed and partitioned as the contract says.

Optional members: `key` (text; `key_base64` for raw bytes), `timestamp` (record time, epoch ms; default: when it is
sent), `headers` (pairs of a name and base64) and, in place of `value`, `value_base64` for raw bytes. Without a key it is
computed from the value. `letter` says what a dead letter was refused for, and is not sent. What is sent is not judged
here: that is the pipeline's work, and a broken event is a dead letter with a reason.
"""

import asyncio
import base64
import binascii
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.topics import MAX_EVENT_BYTES, Topics
from streams.settings import Settings

# An event over the contract's size must reach the pipeline, which tells why it does not count.
_REQUEST_BYTES: Final = 4 * MAX_EVENT_BYTES
_MOST_UNACKNOWLEDGED: Final = 10_000
_PIECE_BYTES: Final = 1 << 16
_LINGER_MS: Final = 5

Progress = Callable[[int], None]
"""(records acknowledged so far)."""


class LineError(ValueError):
    """A line that can't be sent. Says file, line and what is wrong."""


class SendError(RuntimeError):
    """Kafka did not take a record. Says which line it was and what Kafka answered."""


class Outbound(NamedTuple):
    """A record to send. `origin`: file:line, for whoever must mend it."""

    topic: str
    key: bytes | None
    value: bytes | None
    timestamp_ms: int | None
    origin: str
    headers: tuple[tuple[str, bytes], ...] = ()


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    topic: str
    value: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    value_base64: str | None = None
    key: str | None = None
    key_base64: str | None = None
    timestamp: int | None = None
    headers: list[tuple[str, str]] = []
    letter: msgspec.Raw = msgspec.Raw(b"null")


class _Named(msgspec.Struct):
    """What the key is made of. Anything else is the pipeline's to judge."""

    store_id: str
    customer_id: str | None = None
    anonymous_id: str | None = None
    order_id: str | None = None
    kind: str | None = None
    id: str | None = None


_line: Final = msgspec.json.Decoder(_Line)
_named: Final = msgspec.json.Decoder(_Named)


def parse_line(line: bytes, origin: str, topics: Topics) -> Outbound:
    """One line as a record. Raises LineError."""
    try:
        found = _line.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LineError(
            f"{origin}: {error}; a line is one JSON object "
            '{"topic": "shop.order", "value": {...}}, with key, timestamp, value_base64 as you need'
        ) from None
    except RecursionError:
        raise LineError(
            f"{origin}: nested too deeply to be read; give the value's bytes as value_base64"
        ) from None
    known = (*topics.sources, topics.definition)
    if found.topic not in known:
        raise LineError(f"{origin}: there is no topic {found.topic!r}; one of {', '.join(known)}")
    if (found.value is msgspec.UNSET) == (found.value_base64 is None):
        raise LineError(f"{origin}: give either `value` or `value_base64`")
    if found.key is not None and found.key_base64 is not None:
        raise LineError(f"{origin}: give either `key` or `key_base64`")
    if found.timestamp is not None and found.timestamp < 0:
        raise LineError(f"{origin}: timestamp {found.timestamp} is before 1970; it is epoch milliseconds")
    value = _value(found, origin)
    if found.key_base64 is not None:
        key: bytes | None = _bytes(found.key_base64, "key_base64", origin)
    else:
        try:
            key = found.key.encode() if found.key is not None else key_of(value, topics, found.topic)
        except RecursionError:
            raise LineError(
                f"{origin}: the value is nested too deeply to make its key of; give the key"
            ) from None
    if value is None and key is None:
        raise LineError(f"{origin}: a null value deletes what its key names; give the key")
    headers = tuple((name, _bytes(text, f"headers: {name}", origin)) for name, text in found.headers)
    return Outbound(found.topic, key, value, found.timestamp, origin, headers)


def _bytes(text: str, member: str, origin: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise LineError(f"{origin}: {member}: {error}") from None


def _value(found: _Line, origin: str) -> bytes | None:
    if found.value_base64 is not None:
        return _bytes(found.value_base64, "value_base64", origin)
    raw = bytes(found.value) if isinstance(found.value, msgspec.Raw) else b"null"
    return None if raw == b"null" else raw


def key_of(value: bytes | None, topics: Topics, topic: str) -> bytes | None:
    """The key that the contract asks for, None if the value does not say enough: such a record goes anywhere.

    `<store>|<customer or device>`; an order's event without a person is keyed by the order; a definition by kind and id.
    Raises RecursionError.
    """
    if value is None:
        return None
    try:
        named = _named.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if topic == topics.definition:
        return f"{named.store_id}|{named.kind}|{named.id}".encode() if named.kind and named.id else None
    person = named.customer_id if named.customer_id is not None else named.anonymous_id
    if person is None and named.order_id is not None:
        person = f"order:{named.order_id}"
    return None if person is None else f"{named.store_id}|{person}".encode()


async def read_files(paths: Iterable[Path], topics: Topics, stdin: int = 0) -> AsyncIterator[Outbound]:
    """Every record of the files, in their order and as they come; `-` reads `stdin`. Empty lines are passed over.

    Where a pipe has no more for now the event loop goes on: what came before is on its way. Raises LineError.
    """
    for path in paths:
        is_stdin = str(path) == "-"
        name = "stdin" if is_stdin else str(path)
        try:
            # Without a buffer, which would wait for a whole block of what someone writes line by line.
            with FileIO(stdin if is_stdin else path, closefd=not is_stdin) as file:
                number = 0
                async for line in _lines(file):
                    number += 1
                    if text := line.strip():
                        yield parse_line(text, f"{name}:{number}", topics)
        except OSError as error:
            raise LineError(f"{name}: can't be read: {error.strerror}; name a file, or - for stdin") from None


async def _lines(file: FileIO) -> AsyncIterator[bytes]:
    begun: list[bytes] = []
    while piece := await _piece(file):
        *lines, rest = piece.split(b"\n")
        if lines:
            yield b"".join([*begun, lines[0]])
            for line in lines[1:]:
                yield line
            begun = []
        begun.append(rest)
    yield b"".join(begun)


async def _piece(file: FileIO) -> bytes:
    """What there is to read, at least a byte; empty at the end."""
    while True:
        await _readable(file)
        piece: bytes | None = file.read(_PIECE_BYTES)
        if piece is not None:  # None: a terminal that another program set not to block, and read first
            return piece


async def _readable(file: FileIO) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    try:
        loop.add_reader(file, ready.set)
    except OSError:
        # A regular file, which always has more; the sender needs its turns all the same.
        await asyncio.sleep(0)
    else:
        try:
            await ready.wait()
        finally:
            loop.remove_reader(file)


async def send(
    settings: Settings, records: AsyncIterable[Outbound], progress: Progress = lambda _: None
) -> dict[str, int]:
    """Send all, in order, each acknowledged by all replicas: topic -> records. Raises LineError, SendError, KafkaError.

    After an error the records before it have been sent; sending them again does no harm, since their events have ids.
    Cancelled, it ends when what was read is acknowledged, and `progress` has told how much that is.
    """
    async with _producer(settings) as producer:
        outbox = _Outbox(producer, progress)
        try:
            async for record in records:
                await outbox.take(record)
        except LineError as error:
            await outbox.acknowledged()
            raise LineError(f"{error} ({outbox.sent} records before it were sent)") from None
        except asyncio.CancelledError:
            await outbox.acknowledged()
            raise
        await outbox.acknowledged()
    return outbox.counts


class _Outbox:
    """Records on their way. `counts`: those acknowledged, by topic."""

    def __init__(self, producer: Any, progress: Progress) -> None:
        self.counts: dict[str, int] = {}
        self._producer = producer
        self._progress = progress
        self._waiting: set[asyncio.Future[Any]] = set()
        self._error: SendError | None = None

    @property
    def sent(self) -> int:
        """Records acknowledged."""
        return sum(self.counts.values())

    async def take(self, record: Outbound) -> None:
        """Hand it over. Raises SendError, also for a record before it."""
        try:
            future: asyncio.Future[Any] = await self._producer.send(
                record.topic,
                record.value,
                key=record.key,
                timestamp_ms=record.timestamp_ms,
                headers=list(record.headers),
            )
        except KafkaError as error:
            raise SendError(f"{record.origin}: not sent: {type(error).__name__}: {error}") from error
        self._waiting.add(future)
        future.add_done_callback(partial(self._done, record.topic, record.origin))
        if self._error is not None or len(self._waiting) >= _MOST_UNACKNOWLEDGED:
            await self.acknowledged()

    async def acknowledged(self) -> None:
        """Wait until nothing is on its way. Raises SendError."""
        if self._waiting:
            await asyncio.wait(self._waiting)
        self._progress(self.sent)
        if self._error is not None:
            raise self._error

    def _done(self, topic: str, origin: str, future: "asyncio.Future[Any]") -> None:
        self._waiting.discard(future)
        error = asyncio.CancelledError() if future.cancelled() else future.exception()
        if error is None:
            self.counts[topic] = self.counts.get(topic, 0) + 1
        elif self._error is None:
            why = f"{type(error).__name__}: {error}"
            self._error = SendError(f"{origin}: Kafka refused it: {why}")


@asynccontextmanager
async def _producer(settings: Settings) -> AsyncIterator[Any]:
    producer = AIOKafkaProducer(
        **settings.kafka_client_options(),
        acks="all",
        enable_idempotence=True,
        max_request_size=_REQUEST_BYTES,
        linger_ms=_LINGER_MS,
    )
    try:
        await producer.start()
        yield producer
    finally:
        await producer.stop()
