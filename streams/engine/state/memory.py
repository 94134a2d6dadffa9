"""The state of one partition in plain dicts. Holds the contract that RocksStore must meet; forgets all on restart."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from streams.engine.state.codec import (
    ChangelogRecord,
    Meta,
    SeenRecord,
    StateRecord,
    decode,
    split_digests,
)
from streams.engine.state.store import OverlaidStore


class MemoryStore(OverlaidStore):
    """The in-memory twin. A restart restores it from the beginning of the changelog."""

    def __init__(self, partition: int = 0) -> None:
        super().__init__()
        self.partition = partition
        self._clear()

    def __repr__(self) -> str:
        return f"MemoryStore(partition={self.partition})"

    def _clear(self) -> None:
        self._values: dict[bytes, tuple[int, bytes]] = {}
        self._packs: dict[bytes, SeenRecord] = {}
        self._seen: set[bytes] = set()
        self._by_day: dict[int, dict[bytes, None]] = {}
        self._keys: list[bytes] | None = None
        self._meta: Meta | None = None
        self._offset = 0

    @property
    def changelog_offset(self) -> int:
        """The next changelog offset to apply; 0 when the store is empty."""
        return self._offset

    @property
    def meta(self) -> Meta | None:
        """The committed meta record; None before the first epoch."""
        return self._meta

    @property
    def key_estimate(self) -> int:
        """See StateStore."""
        return len(self._values)

    def expired(self, before_day: int, limit: int) -> list[bytes]:
        """Keys with 0 < expires_day < before_day; see StateStore."""
        found: list[bytes] = []
        for day in sorted(day for day in self._by_day if day < before_day):
            for key in self._by_day[day]:
                if len(found) >= limit:
                    return found
                if not self._is_in_flight(key):
                    found.append(key)
        return found

    def wipe(self) -> None:
        """Forget everything, epochs in flight too."""
        self._pending.clear()
        self._clear()

    def close(self) -> None:
        """Nothing to give back; the values go with the object."""
        self._pending.clear()

    def _committed(self, key: bytes) -> bytes | None:
        stored = self._values.get(key)
        return None if stored is None else stored[1]

    def _committed_seen_among(self, digests: Sequence[bytes]) -> set[bytes]:
        return self._seen.intersection(digests)

    def _committed_scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        if self._keys is None:
            self._keys = sorted(self._values)
        keys = self._keys
        for at in range(bisect_left(keys, prefix), len(keys)):
            if not keys[at].startswith(prefix):
                return
            yield keys[at], self._values[keys[at]][1]

    def _write(self, records: Sequence[ChangelogRecord], next_offset: int, *, committed: bool) -> None:
        # Decode everything before touching anything: a bad record must not leave half an epoch behind.
        decoded = [decode(key, value) for key, value in records]
        for record in decoded:
            if isinstance(record, StateRecord):
                self._write_value(record)
            elif isinstance(record, SeenRecord):
                self._write_pack(record)
            else:
                self._meta = record
        self._offset = next_offset

    def _write_value(self, record: StateRecord) -> None:
        before = self._values.get(record.key)
        if before is not None and before[0]:
            self._unlist(before[0], record.key)
        if record.value is None:
            if self._values.pop(record.key, None) is not None:
                self._keys = None
            return
        if before is None:
            self._keys = None
        self._values[record.key] = (record.expires_day, record.value)
        if record.expires_day:
            self._by_day.setdefault(record.expires_day, {})[record.key] = None

    def _write_pack(self, record: SeenRecord) -> None:
        before = self._packs.pop(record.key, None)
        if before is not None and before.digests is not None:
            self._seen.difference_update(split_digests(before.digests))
            self._unlist(before.expires_day, record.key)
        if record.digests is not None:
            self._packs[record.key] = record
            self._seen.update(split_digests(record.digests))
            if record.expires_day:
                self._by_day.setdefault(record.expires_day, {})[record.key] = None

    def _unlist(self, day: int, key: bytes) -> None:
        keys = self._by_day.get(day)
        if keys is not None:
            keys.pop(key, None)
            if not keys:
                del self._by_day[day]
