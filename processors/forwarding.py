"""What partitions send each other over the topic `forwarded`, in the same transactions as everything else.

*Events* that came to the wrong partition (a wrong key, another partitioner) go on to the right one, once, and are counted
where they land. *News of orders* lets a cancel or a refund find its order whoever it names (decisions H51): the partition
of the key `<store>|order:<order id>` knows who holds the order, and keeps the cancels and refunds for whoever will; and
the holders tell each other what they hold, when there are several. *News of devices* lets a device's events find the
customer whose they are (H20 to H25). From one partition to another it comes in the order in which it was sent, once.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from processors.dead_letters import headers_size
from processors.keeping import Kept
from processors.orders import Capture
from processors.progress import FROM, read_stamp
from schemas.epoch import NEVER, Outgoing, SourceRecord, StateReader, Stored
from schemas.topics import FORWARDED, MAX_EVENT_BYTES

KIND: Final = "fwd_kind"
TOPIC: Final = "fwd_topic"


class Kind(StrEnum):
    """What a forwarded record is."""

    EVENT = "event"  # a record of a source topic as it came
    HOLDER = "holder"  # news: this partition holds this order
    CHANGE = "change"  # news: a cancel or refund of an order that you hold
    HOLDERS = "holders"  # news: these partitions hold an order that you hold
    HELD = "held"  # news: what this partition holds of an order that you hold
    LINK = "link"  # news: this device is a customer's
    SHARED = "shared"  # news: this device has several customers
    MOVE = "move"  # events of a device that are a customer's, or are not any more


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


class Holders(Struct, array_like=True):
    """News: all partitions that hold an order, two or more."""

    store_id: str
    order_id: str
    partitions: list[int]


class Held(Struct, array_like=True):
    """News: all captures that a partition holds of an order now, and the day that its row is stored under (0: none)."""

    store_id: str
    order_id: str
    holder: int
    captures: list[Capture]
    born: int


class Link(Struct, array_like=True):
    """News: when a device was linked to a customer, in ms. `is_first`: the sender knew nothing of it before."""

    store_id: str
    device: str
    customer: str
    times: list[int]
    is_first: bool


class Shared(Struct, array_like=True):
    """News: a customer's device has others too, so every link of it must be told."""

    store_id: str
    device: str
    customer: str


class Move(Struct, array_like=True):
    """Events of a device: ids of those that are not the customer's any more, and those that are."""

    store_id: str
    customer: str
    gone: list[str]
    come: list[Kept]
    latest: int  # event time of the latest of both


News = Holder | Change | Holders | Held | Link | Shared | Move


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


def readable(headers: Sequence[tuple[str, bytes]]) -> Forwarded | None:
    """The same of a record that anybody may have written. None: we have not."""
    try:
        forwarded = read_headers(headers)
        read_stamp(forwarded.stamp)
    except (LookupError, ValueError, AttributeError):  # the last: a header without a value
        return None
    return forwarded


def read_news(kind: Kind, value: bytes) -> News:
    """The news in a record of this kind. KeyError for an event, which is none."""
    news: News = _READ[kind](value)
    return news


class OrderIndex:
    """Who holds which order, for the orders whose own key belongs to this partition. State key: `X` store|order id."""

    def __init__(self, state: StateReader) -> None:
        self._state = state
        self._known: dict[bytes, Known] = {}
        self._dirty: set[bytes] = set()

    def held_by(self, store_id: str, order_id: str, partition: int) -> Known | None:
        """Note a holder. If it is new: all that is known now."""
        key = _key(store_id, order_id)
        known = self._get(key)
        if partition in known.holders:
            return None
        known.holders = sorted([*known.holders, partition])
        self._dirty.add(key)
        return known

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


def tell(news: News, partition: int) -> Outgoing:
    """Send news to another partition."""
    match news:
        case Link() | Shared():
            about = news.device
        case Move():
            about = news.customer
        case _:
            about = f"order:{news.order_id}"
    key = f"{news.store_id}|{about}".encode()
    kind = KIND_OF[news.__class__]
    return Outgoing(FORWARDED, key, _encode(news), None, ((KIND, kind.encode()),), partition)


def _key(store_id: str, order_id: str) -> bytes:
    return b"X" + store_id.encode() + b"|" + order_id.encode()


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Known).decode
KIND_OF: Final[dict[type, Kind]] = {
    Holder: Kind.HOLDER,
    Change: Kind.CHANGE,
    Holders: Kind.HOLDERS,
    Held: Kind.HELD,
    Link: Kind.LINK,
    Shared: Kind.SHARED,
    Move: Kind.MOVE,
}
_READ: Final[dict[Kind, Any]] = {kind: msgspec.msgpack.Decoder(news).decode for news, kind in KIND_OF.items()}
