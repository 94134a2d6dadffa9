"""JSON Lines to Kafka: one `{"topic": "shop.order", "value": {...}}` a line, keyed and partitioned as the contract says.

Optional members: `key` (text; `key_base64` for raw bytes), `timestamp` (record time, epoch ms; default: when it is
sent), `headers` (pairs of a name and base64) and, in place of `value`, `value_base64` for raw bytes. Without a key it is
computed from the value. `letter` says what a dead letter was refused for, and is not sent. What is sent is not judged
here: that is the pipeline's work, and a broken event is a dead letter with a reason.
"""

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
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
_LINGER_MS: Final = 5

Progress = Callable[[int], None]
"""(records sent so far)."""


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


def read_files(paths: Iterable[Path], stdin: Iterable[bytes], topics: Topics) -> Iterator[Outbound]:
    """Every record of the files, in their order; `-` reads `stdin`. Empty lines are passed over. Raises LineError."""
    for path in paths:
        if str(path) == "-":
            yield from _read(stdin, "stdin", topics)
            continue
        try:
            with path.open("rb") as lines:
                yield from _read(lines, str(path), topics)
        except OSError as error:
            raise LineError(f"{path}: can't be read: {error.strerror}; name a file, or - for stdin") from None


def _read(lines: Iterable[bytes], name: str, topics: Topics) -> Iterator[Outbound]:
    for number, line in enumerate(lines, start=1):
        if text := line.strip():
            yield parse_line(text, f"{name}:{number}", topics)


async def send(
    settings: Settings, records: Iterable[Outbound], progress: Progress = lambda _: None
) -> dict[str, int]:
    """Send all, in order, each acknowledged by all replicas: topic -> records. Raises LineError, SendError, KafkaError.

    After an error the records before it have been sent; sending them again does no harm, since their events have ids.
    """
    counts: dict[str, int] = {}
    async with _producer(settings) as producer:
        waiting: dict[asyncio.Future[Any], str] = {}
        try:
            for sent, record in enumerate(records, start=1):
                waiting[await _take(producer, record)] = record.origin
                counts[record.topic] = counts.get(record.topic, 0) + 1
                if len(waiting) >= _MOST_UNACKNOWLEDGED:
                    await _acknowledged(waiting)
                    progress(sent)
        except LineError as error:
            await _acknowledged(waiting)
            before = sum(counts.values())
            raise LineError(f"{error} ({before} records before it were sent)") from None
        await _acknowledged(waiting)
    return counts


async def _take(producer: Any, record: Outbound) -> "asyncio.Future[Any]":
    try:
        future: asyncio.Future[Any] = await producer.send(
            record.topic,
            record.value,
            key=record.key,
            timestamp_ms=record.timestamp_ms,
            headers=list(record.headers),
        )
    except KafkaError as error:
        raise SendError(f"{record.origin}: not sent: {type(error).__name__}: {error}") from error
    return future


async def _acknowledged(waiting: "dict[asyncio.Future[Any], str]") -> None:
    if not waiting:
        return
    await asyncio.wait(waiting)
    for future, origin in waiting.items():
        error = future.exception()
        if error is not None:
            raise SendError(f"{origin}: Kafka refused it: {type(error).__name__}: {error}") from error
    waiting.clear()


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
