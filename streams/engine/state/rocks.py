"""The state of one partition on disk: RocksDB, one database a partition.

The database is the changelog's compacted image (same keys, same bytes; see `codec`) plus keys of its own, which no
processor can reach since they begin with a zero byte:

| key                                    | value                                                             |
|----------------------------------------|-------------------------------------------------------------------|
| `00` `d` digest (16)                   | empty: the event id was seen                                      |
| `00` `i` day (2) sequence (8) part (4) | expiry index: keys written with this expires_day (see `expiry`)   |
| `00` `header`                          | identity, changelog offset, epoch number, time of the last commit |
| `00` `meta`, `00` `seen` ...           | as in the changelog                                               |

The write-ahead log is off. A batch lies in one memtable, and memtables reach the disk whole and in order, so what a
`kill -9` or a power cut leaves is every batch up to some epoch, with that epoch's offset; the restore reads the rest.
That holds for one column family only: do not add a second one.
"""

import contextlib
import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import MsgspecError, Struct, msgpack
from rocksdict import Rdict, ReadOptions, WriteBatch, WriteOptions

from streams.directories import make_private
from streams.engine.state.codec import (
    HEAD_BYTES,
    META_KEY,
    RESERVED_END,
    SEEN_PREFIX,
    VERSION,
    ChangelogRecord,
    Meta,
    decode,
    decode_meta,
    split_digests,
)
from streams.engine.state.expiry import ExpiryIndex
from streams.engine.state.lock import DirectoryLock, StateLocked
from streams.engine.state.rocks_options import Budget, options
from streams.engine.state.store import OverlaidStore, StateError

log = logging.getLogger("shopmeter.engine.state")

__all__ = ["CORRUPT_MARK", "Header", "RocksStore", "StateCorrupt", "StateLocked"]

HEADER_KEY: Final = b"\x00header"
_DIGEST: Final = b"\x00d"
_VERSION_BYTE: Final = bytes([VERSION])
# A scan reads this many keys, then lets its iterator go: a live iterator keeps the files and the lock.
SCAN_CHUNK: Final = 512
CORRUPT_MARK: Final = "CORRUPT"
"""A file in the database's directory: a read met damage, so the next start wipes it."""


class StateCorrupt(RuntimeError):
    """The database is damaged or is not whole. The next start wipes it and restores it from the changelog."""


class Header(Struct, frozen=True):
    """What the database knows of itself; written in the same batch as the data it speaks of."""

    identity: bytes
    """Which changelog this is an image of; see `opening.Identity`."""
    next_offset: int
    number: int
    """The meta record's epoch number, 0 when there is none."""
    written_ms: int
    """Wall clock when the store last equalled its changelog's end, or when its restore began."""
    sequence: int
    """How many batches were written."""


class RocksStore(OverlaidStore):
    """The twin on disk. `open_rocks` decides about wiping; this opens what is there, or raises.

    Raises StateLocked when another process holds the directory, StateCorrupt when RocksDB can't open it, when its
    header and meta record disagree, or when a read meets damage.
    """

    def __init__(
        self,
        directory: Path,
        *,
        partition: int,
        identity: bytes,
        now_ms: Callable[[], int],
        budget: Budget | None = None,
    ) -> None:
        super().__init__()
        self.directory = directory / str(partition)
        self.partition = partition
        self._identity = identity
        self._now_ms = now_ms
        self._budget = budget or Budget()
        self._write_options: Any = WriteOptions()
        self._write_options.disable_wal = True
        self._db: Any = None
        make_private(directory)
        self._lock = DirectoryLock(directory / f"{partition}.lock")
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"RocksStore({self.directory})"

    @property
    def changelog_offset(self) -> int:
        """The next changelog offset to apply; 0 when the store is empty."""
        return self._header.next_offset

    @property
    def meta(self) -> Meta | None:
        """The committed meta record; None before the first epoch."""
        return self._meta

    @property
    def header(self) -> Header:
        """What the database knows of itself."""
        return self._header

    @property
    def size_bytes(self) -> int:
        """About how many bytes of files the database has."""
        return int(self._db.property_int_value("rocksdb.total-sst-files-size") or 0)

    @property
    def key_estimate(self) -> int:
        """See StateStore."""
        return int(self._db.property_int_value("rocksdb.estimate-num-keys") or 0)

    def expired(self, before_day: int, limit: int) -> list[bytes]:
        """Keys with 0 < expires_day < before_day; see StateStore."""
        with self._guarded():
            return self._expiry.due(before_day, limit, self._is_in_flight)

    def wipe(self) -> None:
        """Forget everything, epochs in flight too: the directory is removed and made anew."""
        self._pending.clear()
        self._close_database()
        shutil.rmtree(self.directory, ignore_errors=False)
        self._open()

    def close(self) -> None:
        """Flush, close, give back the lock. Again is harmless. A flush that fails is told, and costs the next start."""
        self._pending.clear()
        try:
            self._close_database()
        finally:
            self._lock.release()

    def _open(self) -> None:
        self.directory.mkdir(mode=0o700, exist_ok=True)
        self.directory.chmod(0o700)
        if (self.directory / CORRUPT_MARK).exists():
            raise StateCorrupt(f"{self}: a read met damage before; wipe it and restore from the changelog")
        with self._guarded():
            made = options(self._budget)
            # Named: of a database that exists, rocksdict otherwise opens the default column family with options of its
            # own, without filters and with a cache beside the shared one.
            self._db = Rdict(str(self.directory), made, column_families={"default": made})
            self._get = self._db.get
            raw_header, raw_meta = self._get(HEADER_KEY), self._get(META_KEY)
            if raw_header is None and self.range(b"", None, 1):
                raise StateCorrupt(f"{self}: data without a header; it was not written by a whole batch")
        self._header = self._read_header(raw_header)
        self._meta = None if raw_meta is None else decode_meta(raw_meta)
        if self._header.number != (self._meta.number if self._meta else 0):
            raise StateCorrupt(
                f"{self}: its header speaks of epoch {self._header.number}, its meta of another"
            )
        self._expiry = ExpiryIndex(self._db, self._write_options, self.range)

    def _read_header(self, raw: bytes | None) -> Header:
        if raw is None:
            return Header(self._identity, 0, 0, self._now_ms(), 0)
        if raw[:1] != _VERSION_BYTE:
            raise StateCorrupt(f"{self}: format {raw[:1]!r} is not version {VERSION}; wipe it and restore")
        try:
            return msgpack.decode(raw[1:], type=Header)
        except MsgspecError as error:
            raise StateCorrupt(f"{self}: header: {error}; wipe it and restore") from None

    def _close_database(self) -> None:
        if self._db is None:
            return
        database, self._db = self._db, None
        self._get = _closed
        try:
            # Without a write-ahead log only a flush saves the last epochs from being read again.
            database.flush(True)
            database.close()
        except Exception as error:
            # A full disk. Nothing is lost: what is not here is read from the changelog. Raised, it would keep a worker
            # that has committed everything from giving its partitions back.
            log.error("%s: closed without its last epochs, which the next start restores: %s", self, error)
            with contextlib.suppress(Exception):
                database.close()  # it flushes again

    def _committed(self, key: bytes) -> bytes | None:
        try:
            value: bytes | None = self._get(key)
        except Exception as error:
            raise self._damage(error) from error
        return None if value is None else value[HEAD_BYTES:]

    def _committed_seen_among(self, digests: Sequence[bytes]) -> set[bytes]:
        if not digests:
            return set()
        with self._guarded():
            values = self._db.get([_DIGEST + digest for digest in digests])
        return {digest for digest, value in zip(digests, values, strict=True) if value is not None}

    def _committed_scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        if prefix and prefix < RESERVED_END:
            return
        start, end = max(prefix, RESERVED_END), after_prefix(prefix)
        while True:
            with self._guarded():
                chunk = self.range(start, end, SCAN_CHUNK)
            for key, value in chunk:
                yield key, value[HEAD_BYTES:]
            if len(chunk) < SCAN_CHUNK:
                return
            start = chunk[-1][0] + b"\x00"

    def range(self, start: bytes, end: bytes | None, limit: int) -> list[tuple[bytes, bytes]]:
        """At most `limit` raw keys and values within [start, end), ascending."""
        bounds = ReadOptions()
        if end is not None:
            bounds.set_iterate_upper_bound(end)
        found: list[tuple[bytes, bytes]] = []
        cursor = self._db.iter(bounds)
        cursor.seek(start)
        while cursor.valid() and len(found) < limit:
            found.append((cursor.key(), cursor.value()))
            cursor.next()
        # A damaged block ends an iterator as if the data ended there; only its status tells.
        cursor.status()
        return found

    def _write(self, records: Sequence[ChangelogRecord], next_offset: int, *, committed: bool) -> None:
        batch = WriteBatch(raw_mode=True)
        put, delete, note = batch.put, batch.delete, self._expiry.note
        meta = self._meta
        packs: dict[bytes, bytes] = {}
        if not committed:
            for key, value in records:
                decode(key, value)
        for key, value in records:
            if key >= RESERVED_END:
                if value is None:
                    delete(key)
                else:
                    put(key, value)
                    note(key, value[1] << 8 | value[2])
            elif key.startswith(SEEN_PREFIX):
                self._write_pack(batch, packs, key, value)
            elif value is not None:
                put(key, value)
                meta = decode_meta(value)
        before = self._header
        # A restore is not yet the changelog's end: deletions after it may be compacted away before it is reached.
        written_ms = self._now_ms() if committed else before.written_ms
        number = meta.number if meta else 0
        header = Header(before.identity, next_offset, number, written_ms, before.sequence + 1)
        put(HEADER_KEY, _VERSION_BYTE + msgpack.encode(header))
        with self._guarded():
            self._expiry.write_into(batch, header.sequence)
            self._db.write(batch, self._write_options)
        self._header, self._meta = header, meta

    def _write_pack(self, batch: Any, packs: dict[bytes, bytes], key: bytes, value: bytes | None) -> None:
        if value is None:
            with self._guarded():
                old = packs.pop(key, None) or self._get(key)
            batch.delete(key)
            # A digest that a second pack names too is forgotten with the first: a processor asks seen_among before it
            # adds, so there is none; asking here would cost a read for every event that ever came.
            for digest in split_digests(old[HEAD_BYTES:]) if old is not None else ():
                batch.delete(_DIGEST + digest)
            return
        packs[key] = value
        batch.put(key, value)
        self._expiry.note_pack(key)
        for digest in split_digests(value[HEAD_BYTES:]):
            batch.put(_DIGEST + digest, b"")

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (StateError, StateCorrupt):
            raise
        except Exception as error:
            raise self._damage(error) from error

    def _damage(self, error: Exception) -> Exception:
        """RocksDB's error as ours. Damage is marked on the disk, so that the next start does not meet it again."""
        if isinstance(error, (StateError, StateCorrupt)):
            return error
        text = str(error)
        # A full disk or a lock is no damage: the files are as good as before.
        if not (text.startswith(("Corruption", "Invalid argument")) or "No such file" in text):
            return StateError(f"{self}: {text}")
        with contextlib.suppress(OSError):
            (self.directory / CORRUPT_MARK).write_text(text + "\n", encoding="utf-8")
        return StateCorrupt(f"{self}: {text}; the next start wipes it and restores it from the changelog")


def after_prefix(prefix: bytes) -> bytes | None:
    """The first key after all keys with this prefix; None when there is no such key."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes([kept[-1] + 1]) if kept else None


def _closed(key: bytes) -> bytes | None:
    raise StateError(f"get of {key!r}: the store is closed")
