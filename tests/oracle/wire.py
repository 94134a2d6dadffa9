"""Events as a storefront sends them: small dicts in, raw records with key, partition and offset out."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from tests.oracle.records import RawRecord

PARTITIONS: Final = 8


class Sent(NamedTuple):
    """An event on its way: short topic, the wire object (or raw bytes), and the broker's timestamp in ms.

    `own_key`: for records whose value does not say their key.
    """

    topic: str
    value: Mapping[str, Any] | bytes | None
    timestamp_ms: int
    own_key: bytes | None = None

    @property
    def key(self) -> bytes | None:
        """The record key that events.md asks for; None where the value names no store or nobody."""
        if self.own_key is not None:
            return self.own_key
        if not isinstance(self.value, Mapping):
            return None
        store_id, person = self.value.get("store_id"), self.value.get("customer_id")
        person = self.value.get("anonymous_id") if person is None else person
        if person is None and self.value.get("order_id") is not None:
            person = f"order:{self.value['order_id']}"  # H51
        return None if store_id is None or person is None else f"{store_id}|{person}".encode()

    @property
    def body(self) -> bytes | None:
        """The record value."""
        if isinstance(self.value, Mapping):
            return json.dumps(self.value, ensure_ascii=False, separators=(",", ":")).encode()
        return self.value


def raw_records(sent: Iterable[Sent], *, partitions: int = PARTITIONS) -> list[RawRecord]:
    """Records in the order given, each in the partition of its key, offsets counted up by topic and partition."""
    offsets: dict[tuple[str, int], int] = {}
    records = []
    for event in sent:
        key = event.key
        partition = 0 if key is None else partition_of(key, partitions)
        offset = offsets.get((event.topic, partition), 0)
        offsets[event.topic, partition] = offset + 1
        records.append(RawRecord(event.topic, partition, offset, event.timestamp_ms, key, event.body))
    return records


def partition_of(key: bytes, partitions: int = PARTITIONS) -> int:
    """Kafka's default partitioner: murmur2 of the key, without the sign bit, modulo the partitions."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """The 32-bit murmur2 hash with Kafka's seed."""
    mixer, mask = 0x5BD1E995, 0xFFFFFFFF
    state = (0x9747B28C ^ len(data)) & mask
    whole = len(data) // 4 * 4
    for start in range(0, whole, 4):
        word = int.from_bytes(data[start : start + 4], "little") * mixer & mask
        word = (word ^ word >> 24) * mixer & mask
        state = (state * mixer & mask) ^ word
    if tail := data[whole:]:
        state = (state ^ int.from_bytes(tail, "little")) * mixer & mask
    state = (state ^ state >> 13) * mixer & mask
    return state ^ state >> 15
