"""What every state store can do, and the part that both twins share: epochs in flight, laid over what is committed.

The store lags the committed changelog or equals it; it never leads. So: `begin` lays an epoch over the store (readers
see it at once), the engine commits the epoch's Kafka transaction, and only then `commit` writes it.
"""

import heapq
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Final, Protocol

from schemas.epoch import Epoch, StateReader, Stored
from streams.engine.state.codec import (
    NOBODYS,
    RESERVED_END,
    ChangelogRecord,
    Life,
    Meta,
    encode_epoch,
    split_digests,
)

# The engine has one epoch in flight and one waiting; more means that commits are not told to the store.
MAX_IN_FLIGHT: Final = 4


class StateError(RuntimeError):
    """The store was used out of order. A bug of ours: the process must end before it commits anything."""


class Pending:
    """An epoch that is in flight. `records` is what its transaction must append to the changelog, in this order."""

    __slots__ = ("_keys", "deleted", "digests", "number", "records", "state")

    def __init__(
        self,
        number: int,
        state: Mapping[bytes, Stored | None],
        digests: frozenset[bytes],
        deleted: frozenset[bytes],
        records: list[ChangelogRecord],
    ) -> None:
        self.number = number
        self.records = records
        self.state = state
        self.digests = digests
        self.deleted = deleted
        """Expired keys that this epoch deletes on top of `state`; the packs of seen digests too."""
        self._keys: list[bytes] | None = None

    def keys_with(self, prefix: bytes) -> Iterator[bytes]:
        """Keys that this epoch touches, ascending. Sorted once, so that a scan does not cost the whole epoch."""
        if self._keys is None:
            self._keys = sorted({*self.state, *self.deleted})
        keys = self._keys
        for at in range(bisect_left(keys, prefix), len(keys)):
            if not keys[at].startswith(prefix):
                return
            yield keys[at]

    def touches(self, key: bytes) -> bool:
        """Does this epoch write or delete the key?"""
        return key in self.state or key in self.deleted


class StateStore(StateReader, Protocol):
    """One partition's state. Not thread-safe; every call is synchronous."""

    @property
    def changelog_offset(self) -> int:
        """The next changelog offset to apply; 0 when the store is empty."""
        ...

    @property
    def meta(self) -> Meta | None:
        """The committed meta record; None before the first epoch."""
        ...

    @property
    def in_flight(self) -> int:
        """How many epochs were begun and not committed."""
        ...

    @property
    def key_estimate(self) -> int:
        """About how many keys the store has, its own bookkeeping included; for telemetry."""
        ...

    def begin(
        self,
        epoch: Epoch,
        *,
        number: int,
        offsets: Mapping[str, int],
        expired: Iterable[bytes] = (),
        life: Life = NOBODYS,
    ) -> Pending:
        """Lay an epoch over the store. `offsets`: short topic -> next offset; `expired`: from `expired()`.

        Raises CodecError for an epoch that can't be encoded, StateError when too many are in flight or when
        `number` does not grow; the store is unchanged then.
        """
        ...

    def commit(self, pending: Pending, changelog_offset: int) -> None:
        """The epoch's transaction is committed: write it, with the offset after its last record. In order of begin."""
        ...

    def apply(self, key: bytes, value: bytes | None, next_offset: int) -> None:
        """One changelog record of a restore. Prefer `apply_batch`."""
        ...

    def apply_batch(self, records: Sequence[ChangelogRecord], next_offset: int) -> None:
        """Changelog records of a restore, in offset order, and the offset to go on from. Again is harmless."""
        ...

    def expired(self, before_day: int, limit: int) -> list[bytes]:
        """Changelog keys (values and packs of seen digests) with 0 < expires_day < before_day, about `limit` of them.

        Keys that an epoch in flight touches are left out. An empty list does not prove that none is left: a call
        looks at a bounded number of index entries. Ask again with the next epoch.
        """
        ...

    def wipe(self) -> None:
        """Forget everything, on disk too; the restore then begins at the changelog's beginning."""
        ...

    def close(self) -> None:
        """Give back files and locks. Epochs in flight are dropped. Again is harmless."""
        ...


class OverlaidStore(ABC):
    """Epochs in flight over a committed store; the twins supply what is committed."""

    def __init__(self) -> None:
        self._pending: list[Pending] = []

    @property
    def in_flight(self) -> int:
        """How many epochs were begun and not committed."""
        return len(self._pending)

    def get(self, key: bytes) -> bytes | None:
        """The value alone, without its expiry; None when there is none."""
        for pending in reversed(self._pending):
            if key in pending.state:
                stored = pending.state[key]
                return None if stored is None else stored.value
            if key in pending.deleted:
                return None
        if key < RESERVED_END:
            return None
        return self._committed(key)

    def seen_among(self, digests: Sequence[bytes]) -> set[bytes]:
        """Those of these digests that are in the set of seen event ids."""
        found = self._committed_seen_among(digests)
        for pending in self._pending:
            found |= pending.digests.intersection(digests)
        return found

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """All keys with this prefix, ascending. Do not hold it across an await."""
        committed = self._committed_scan(prefix)
        if not self._pending:
            return committed
        touched = {key for pending in self._pending for key in pending.keys_with(prefix)}
        if not touched:
            return committed
        over = ((key, self.get(key)) for key in sorted(touched))
        kept = ((key, value) for key, value in committed if key not in touched)
        merged = heapq.merge(kept, over, key=itemgetter(0))
        return ((key, value) for key, value in merged if value is not None)

    def begin(
        self,
        epoch: Epoch,
        *,
        number: int,
        offsets: Mapping[str, int],
        expired: Iterable[bytes] = (),
        life: Life = NOBODYS,
    ) -> Pending:
        """Lay an epoch over the store; see StateStore."""
        if len(self._pending) >= MAX_IN_FLIGHT:
            raise StateError(
                f"{self}: {MAX_IN_FLIGHT} epochs are in flight; commit them before epoch {number}"
            )
        meta = self.meta
        last = self._pending[-1].number if self._pending else meta.number if meta else 0
        if number <= last:
            # Two packs of seen digests under one number would replace each other in the changelog.
            raise StateError(f"{self}: epoch {number} comes after epoch {last}; numbers must grow")
        gone = [key for key in expired if key not in epoch.state]
        records = encode_epoch(epoch, number=number, offsets=offsets, expired=gone, life=life)
        digests = frozenset(digest for pack in epoch.seen for digest in split_digests(pack.digests))
        pending = Pending(number, epoch.state, digests, frozenset(gone), records)
        self._pending.append(pending)
        return pending

    def commit(self, pending: Pending, changelog_offset: int) -> None:
        """Write the oldest epoch in flight; see StateStore."""
        if not self._pending or self._pending[0] is not pending:
            raise StateError(
                f"{self}: epoch {pending.number} is not the oldest in flight; commit in order of begin"
            )
        if changelog_offset < self.changelog_offset + len(pending.records):
            raise StateError(
                f"{self}: epoch {pending.number} of {len(pending.records)} records can't end at offset"
                f" {changelog_offset}, after {self.changelog_offset}"
            )
        self._write(pending.records, changelog_offset, committed=True)
        del self._pending[0]

    def apply(self, key: bytes, value: bytes | None, next_offset: int) -> None:
        """One changelog record of a restore."""
        self.apply_batch([(key, value)], next_offset)

    def apply_batch(self, records: Sequence[ChangelogRecord], next_offset: int) -> None:
        """Changelog records of a restore; see StateStore."""
        if self._pending:
            raise StateError(f"{self}: a restore while {len(self._pending)} epochs are in flight")
        if next_offset < self.changelog_offset:
            raise StateError(
                f"{self}: a restore back to offset {next_offset} from {self.changelog_offset}; wipe first"
            )
        self._write(records, next_offset, committed=False)

    def _is_in_flight(self, key: bytes) -> bool:
        return any(pending.touches(key) for pending in self._pending)

    @property
    @abstractmethod
    def changelog_offset(self) -> int: ...

    @property
    @abstractmethod
    def meta(self) -> Meta | None: ...

    @abstractmethod
    def _committed(self, key: bytes) -> bytes | None: ...

    @abstractmethod
    def _committed_seen_among(self, digests: Sequence[bytes]) -> set[bytes]: ...

    @abstractmethod
    def _committed_scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]: ...

    @abstractmethod
    def _write(self, records: Sequence[ChangelogRecord], next_offset: int, *, committed: bool) -> None:
        """All records and the offset, or nothing. `committed` is False during a restore."""
