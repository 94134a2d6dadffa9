"""What partitions send each other over the topic `forwarded`, in the same transactions as everything else.

*Events* that came to the wrong partition (a wrong key, another partitioner) go on to the right one, once, and are counted
where they land. *News of orders* lets a cancel or a refund find its order whoever it names (decisions H51): the partition
of the key `<store>|order:<order id>` knows who holds the order, and keeps the cancels and refunds for whoever will. News
may come twice and in any order; it says the same then.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from processors.dead_letters import headers_size
from processors.progress import FROM
from schemas.epoch import NEVER, Outgoing, SourceRecord, StateReader, Stored
from schemas.topics import FORWARDED, MAX_EVENT_BYTES

KIND: Final = "fwd_kind"
TOPIC: Final = "fwd_topic"


class Kind(StrEnum):
    """What a forwarded record is."""

    EVENT = "event"  # a record of a source topic as it came
    HOLDER = "holder"  # news: this partition holds this order
    CHANGE = "change"  # news: a cancel or refund of an order that you hold


class Forwarded(NamedTuple):
    """A record of the forwarded topic. `stamp`: what `Progress.taken` reads; `topic`: of an event, else empty."""

    stamp: bytes
    kind: Kind
    topic: str


class Holder(Struct, array_like=True):
    """News: who holds an order."""

    store_id: str
    order_id: str
    partition: int


class Change(Struct, array_like=True):
    """A cancel or a refund as it came: the record's value and timestamp, and the order."""

    store_id: str
    order_id: str
    timestamp: int
    value: bytes


class Known(Struct, array_like=True, gc=False):
    """What an order's own partition knows: the partitions that hold it, and every cancel and refund so far."""

    holders: list[int]
    changes: list[Change]


def forward_event(topic: str, record: SourceRecord, partition: int) -> Outgoing:
    """Send a record of a source topic on to its partition, as it is, under its first timestamp."""
    timestamp = record.timestamp if record.timestamp >= 0 else None
    key, own = record.key, record.headers
    if headers_size(own) + len(key or b"") > MAX_EVENT_BYTES:
        # They came compressed. Nobody reads them on the way, and a record too large to send would end every worker.
        key, own = None, ()
    headers = ((KIND, Kind.EVENT.encode()), (TOPIC, topic.encode()), *own)
    return Outgoing(FORWARDED, key, record.value, timestamp, headers, partition)


def read_headers(headers: Sequence[tuple[str, bytes]]) -> Forwarded:
    """What a forwarded record is. LookupError or ValueError for one that we did not write."""
    found = dict(headers[:3])  # ours stand before the event's own
    kind = Kind(found[KIND].decode())
    return Forwarded(found[FROM], kind, found[TOPIC].decode() if kind is Kind.EVENT else "")


def read_holder(value: bytes) -> Holder:
    """The news in a record of kind HOLDER."""
    return _read_holder(value)


def read_change(value: bytes) -> Change:
    """The news in a record of kind CHANGE."""
    return _read_change(value)


class OrderIndex:
    """Who holds which order, for the orders whose own key belongs to this partition. State key: `X` store|order id."""

    def __init__(self, state: StateReader) -> None:
        self._state = state
        self._known: dict[bytes, Known] = {}
        self._dirty: set[bytes] = set()

    def held_by(self, store_id: str, order_id: str, partition: int) -> Iterator[Change]:
        """Note a holder. Yields what it must be told, if it is new."""
        key = _key(store_id, order_id)
        known = self._get(key)
        if partition not in known.holders:
            known.holders = sorted([*known.holders, partition])
            self._dirty.add(key)
            yield from known.changes

    def changed(self, change: Change) -> Sequence[int]:
        """Keep a cancel or refund (accepted just now, so it is new). Returns the partitions to tell."""
        key = _key(change.store_id, change.order_id)
        known = self._get(key)
        known.changes.append(change)
        self._dirty.add(key)
        return known.holders

    def _get(self, key: bytes) -> Known:
        known = self._known.get(key)
        if known is None:
            stored = self._state.get(key)
            known = self._known[key] = _decode(stored) if stored is not None else Known([], [])
        return known

    def write(self, into: dict[bytes, Stored | None]) -> None:
        """Put what has changed into `into`; for ever, since a refund may come at any age."""
        for key in self._dirty:
            into[key] = Stored(NEVER, _encode(self._known[key]))
        self._dirty.clear()
        self._known.clear()


def tell(news: Holder | Change, partition: int) -> Outgoing:
    """Send news to another partition."""
    kind = Kind.HOLDER if isinstance(news, Holder) else Kind.CHANGE
    key = f"{news.store_id}|order:{news.order_id}".encode()
    return Outgoing(FORWARDED, key, _encode(news), None, ((KIND, kind.encode()),), partition)


def _key(store_id: str, order_id: str) -> bytes:
    return b"X" + store_id.encode() + b"|" + order_id.encode()


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Known).decode
_read_holder: Final = msgspec.msgpack.Decoder(Holder).decode
_read_change: Final = msgspec.msgpack.Decoder(Change).decode
