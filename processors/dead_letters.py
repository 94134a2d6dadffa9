"""Records that can't be counted: each kept as it came, and all of them watched by the circuit breaker."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from processors.breaker import Breaker
from processors.counters import DEAD_LETTER, REASON_INDEX, TOO_LATE
from schemas.epoch import Headers, Outgoing, SourceRecord
from schemas.reasons import Reason
from schemas.topics import MAX_EVENT_BYTES

Skips = Mapping[tuple[str, int], frozenset[int]]
"""(short topic, partition) -> offsets of records to set aside by hand."""

CUT: Final = "dlq_cut"
# Three such parts, and the headers of ours, fit a record; a record of the contract is far below.
_CUT_BYTES: Final = 1_048_576
_LARGEST_WHOLE: Final = 3 * _CUT_BYTES
_LONGEST_STORE_ID: Final = 64


class _Claim(Struct):
    store_id: str


_claim: Final = msgspec.json.Decoder(_Claim)


def dead_letter(
    topic: str, partition: int, record: SourceRecord, reason: Reason, field: str, store_id: str, now_ms: int
) -> Outgoing:
    """The record byte for byte, with reason and origin in headers before its own.

    Of one that no record of ours could hold (it came compressed) the beginning, with its size in the header `dlq_cut`.
    """
    key, value, own = _fitting(record)
    headers = (
        ("dlq_reason", reason.value.encode()),
        ("dlq_field", field.encode()),
        ("dlq_topic", topic.encode()),
        ("dlq_partition", b"%d" % partition),
        ("dlq_offset", b"%d" % record.offset),
        ("dlq_first_seen", b"%d" % now_ms),
        ("dlq_store", store_id.encode()),
        *own,
    )
    timestamp = record.timestamp if record.timestamp >= 0 else None
    return Outgoing("dead-letter", key, value, timestamp, headers)


def _fitting(record: SourceRecord) -> tuple[bytes | None, bytes | None, Headers]:
    """Key, value and headers of a record, cut where a dead letter could not be sent: that would end every worker."""
    key, value, headers = record.key, record.value, record.headers
    size = headers_size(headers) + len(key or b"") + len(value or b"")
    if size <= _LARGEST_WHOLE:
        return key, value, tuple(headers)
    if headers_size(headers) > _CUT_BYTES:
        headers = ()
    cut = (CUT, b"%d" % size)
    return key and key[:_CUT_BYTES], value and value[:_CUT_BYTES], (*headers, cut)


def headers_size(headers: Sequence[tuple[str, bytes | None]]) -> int:
    """Bytes of names and values, and what each costs on the wire at most."""
    return sum(4 * len(name) + len(value or b"") + 10 for name, value in headers)


def claimed_store(record: SourceRecord) -> str:
    """The store that a broken record says it is of, in its value or else in its key; empty if in neither."""
    value = record.value or b""
    store_id = ""
    if len(value) <= MAX_EVENT_BYTES:
        try:
            store_id = _claim.decode(value).store_id
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            store_id = ""
    if not store_id and record.key is not None and b"|" in record.key[: _LONGEST_STORE_ID + 1]:
        store_id = record.key.partition(b"|")[0].decode("utf-8", "replace")
    return store_id if len(store_id) <= _LONGEST_STORE_ID else ""


class Refusals:
    """What one partition refuses. `stores`: the configured ones; a letter names no other."""

    def __init__(
        self, partition: int, stores: Mapping[str, object], breaker: Breaker | None, skips: Skips | None
    ) -> None:
        self._partition = partition
        self._stores = stores
        self._breaker = breaker
        self._skips = skips or {}
        self._claims: list[str] = []

    def by_hand(self, topic: str) -> frozenset[int] | None:
        """Offsets of this topic that somebody has set aside; None: none."""
        return self._skips.get((topic, self._partition))

    def letter(
        self,
        topic: str,
        record: SourceRecord,
        reason: Reason,
        field: str,
        tally: list[int],
        store_id: str,
        now_ms: int,
    ) -> Outgoing:
        """The dead letter of a record, counted in the tally. `store_id`: empty when the record was not read so far."""
        if reason is Reason.TOO_LATE:
            tally[TOO_LATE] += 1
        else:
            tally[DEAD_LETTER] += 1
            tally[REASON_INDEX[reason.value]] += 1
            claimed = store_id or claimed_store(record)
            store_id = claimed if claimed in self._stores else ""
            if reason is not Reason.SKIPPED:
                self._claims.append(claimed)
        return dead_letter(topic, self._partition, record, reason, field, store_id, now_ms)

    def end_chunk(self, topic: str, records: int) -> None:
        """A chunk of so many records is judged. Raises BreakerTripped."""
        if self._breaker is not None:
            self._breaker.saw(topic, records, self._claims)
        self._claims.clear()
