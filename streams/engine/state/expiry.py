"""Which keys of a RocksStore may be forgotten: a local index by day, cheap to write, bounded to read.

One index record names up to 256 keys written with the same `expires_day`; a key that is written again and again is
named once (a small memory of recent names). A name is a hint: the value itself says when it expires, and a name that
no longer agrees is dropped. Packs of seen digests carry the day in their key and are their own index.
"""

from collections.abc import Callable
from struct import Struct as Packer
from typing import Any, Final

from msgspec import msgpack
from rocksdict import WriteBatch

from streams.engine.state.codec import DIGEST_BYTES, MAX_DAY, SEEN_PREFIX, day_of

INDEX_PREFIX: Final = b"\x00i"
# A record is dropped only when none of its names holds, so small records go sooner; large ones cost less to write.
NAMES_PER_RECORD: Final = 256
# Two generations of this many keys; about 2 MB a partition.
RECENT_KEYS: Final = 8192
# Names looked at in one call for each one found: stale names must not make a call unbounded.
LOOKS_PER_FOUND: Final = 8
_INDEX_KEY: Final = Packer(">2sHQI")
_NAMES: Final = msgpack.Decoder(list[bytes])
_RECORDS_PER_READ: Final = 16

Range = Callable[[bytes, bytes | None, int], list[tuple[bytes, bytes]]]


class _Days:
    """The part of the key space under one prefix that may hold a day: begins after what is known to be gone."""

    def __init__(self, prefix: bytes) -> None:
        self._prefix = prefix
        self.floor = prefix + b"\x00\x01"  # day 0 is NEVER
        """No record lies below. Without it every call would walk over the graves of all records before."""

    def bound(self, before_day: int) -> bytes:
        """The end of all records before this day."""
        return self._prefix + (max(before_day, 1).to_bytes(2) if before_day <= MAX_DAY else b"\xff\xff\xff")

    def added(self, key: bytes) -> None:
        """A record was written; day 0 never comes due."""
        if key < self.floor and key >= self._prefix + b"\x00\x01":
            self.floor = key


class ExpiryIndex:
    """The index of one open database. `note` what a batch writes, `write_into` the batch, ask what is `due`."""

    def __init__(self, database: Any, write_options: Any, read_range: Range) -> None:
        self._db = database
        self._write_options = write_options
        self._range = read_range
        self._recent: dict[bytes, int] = {}
        self._older: dict[bytes, int] = {}
        self._noted: dict[int, list[bytes]] = {}
        self._names = _Days(INDEX_PREFIX)
        self._packs = _Days(SEEN_PREFIX)

    def note(self, key: bytes, expires_day: int) -> None:
        """A key is being written with this day."""
        if not expires_day or self._recent.get(key) == expires_day:
            return
        if self._older.get(key) != expires_day:
            self._noted.setdefault(expires_day, []).append(key)
        self._recent[key] = expires_day

    def note_pack(self, key: bytes) -> None:
        """A pack of seen digests is being written."""
        self._packs.added(key)

    def write_into(self, batch: Any, sequence: int) -> None:
        """Add the index records of all that was noted; `sequence` makes their keys new."""
        for day, keys in self._noted.items():
            for part, start in enumerate(range(0, len(keys), NAMES_PER_RECORD)):
                record = _INDEX_KEY.pack(INDEX_PREFIX, day, sequence, part)
                batch.put(record, msgpack.encode(keys[start : start + NAMES_PER_RECORD]))
                self._names.added(record)
        self._noted.clear()
        if len(self._recent) > RECENT_KEYS:
            self._older, self._recent = self._recent, {}

    def due(self, before_day: int, limit: int, in_flight: Callable[[bytes], bool]) -> list[bytes]:
        """At most `limit` keys whose value expires before this day, and packs of about `limit` digests."""
        return [
            *self._due_values(before_day, limit, in_flight),
            *self._due_packs(before_day, limit, in_flight),
        ]

    def _due_values(
        self, before_day: int, limit: int, in_flight: Callable[[bytes], bool]
    ) -> dict[bytes, None]:
        found: dict[bytes, None] = {}
        stale: list[tuple[bytes, list[bytes]]] = []
        looks = limit * LOOKS_PER_FOUND
        first_kept: bytes | None = None
        at, end = self._names.floor, self._names.bound(before_day)
        while at < end and looks > 0 and len(found) < limit:
            records = self._range(at, end, _RECORDS_PER_READ)
            at = end if len(records) < _RECORDS_PER_READ else records[-1][0] + b"\x00"
            for record, packed in records:
                if looks <= 0 or len(found) >= limit:
                    first_kept, at = first_kept or record, record
                    break
                names = _NAMES.decode(packed)
                looks -= len(names)
                if self._holds(record, names, found, limit, in_flight):
                    first_kept = first_kept or record
                else:
                    stale.append((record, names))
        self._drop(stale)
        self._names.floor = first_kept or max(at, self._names.floor)
        return found

    def _holds(
        self,
        record: bytes,
        names: list[bytes],
        found: dict[bytes, None],
        limit: int,
        in_flight: Callable[[bytes], bool],
    ) -> bool:
        """Does any name of the record still hold? Adds those that do to `found`, at most up to `limit`."""
        day = _INDEX_KEY.unpack(record)[1]
        holds = False
        for key in names:
            if in_flight(key):
                # What the epoch makes of the key is not known here before its commit.
                holds = True
                continue
            value = self._db.get(key)
            if value is not None and day_of(value) == day:
                holds = True
                if len(found) >= limit:
                    break
                found[key] = None
        return holds

    def _drop(self, stale: list[tuple[bytes, list[bytes]]]) -> None:
        if not stale:
            return
        batch = WriteBatch(raw_mode=True)
        for record, names in stale:
            batch.delete(record)
            day = _INDEX_KEY.unpack(record)[1]
            for key in names:
                # A key written again with this day must be named again.
                for recent in (self._recent, self._older):
                    if recent.get(key) == day:
                        del recent[key]
        self._db.write(batch, self._write_options)

    def _due_packs(self, before_day: int, limit: int, in_flight: Callable[[bytes], bool]) -> list[bytes]:
        found: list[bytes] = []
        digests = 0
        first: bytes | None = None
        at, end = self._packs.floor, self._packs.bound(before_day)
        while at < end and digests < limit:
            packs = self._range(at, end, _RECORDS_PER_READ)
            at = end if len(packs) < _RECORDS_PER_READ else packs[-1][0] + b"\x00"
            for key, value in packs:
                first = first or key
                if not in_flight(key) and digests < limit:
                    found.append(key)
                    digests += max(1, len(value) // DIGEST_BYTES)
        self._packs.floor = first or max(at, self._packs.floor)
        return found
