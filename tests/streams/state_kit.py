"""Small makers for the state tests: epochs in one line, stores in a directory, what a store answers as plain data."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from schemas.epoch import Epoch, Seen, StateReader, Stored
from streams.engine.state.opening import Identity
from streams.engine.state.rocks import RocksStore
from streams.engine.state.rocks_options import Budget

IDENTITY = Identity("shopmeter-changelog", "topic-1", 0)
NOW_MS = 1_800_000_000_000


def digest(number: int) -> bytes:
    """A 16-byte digest."""
    return number.to_bytes(16)


def epoch(
    state: Mapping[bytes, Stored | None] | None = None, *, seen: Sequence[Seen] = (), meta: bytes = b"meta"
) -> Epoch:
    """An epoch of state and seen digests alone."""
    return Epoch(meta, state or {}, seen, {}, (), 0)


def seen(day: int, *numbers: int) -> Seen:
    """A pack of digests."""
    return Seen(day, b"".join(digest(number) for number in numbers))


def rocks(directory: Path, *, now_ms: int = NOW_MS, budget: Budget | None = None) -> RocksStore:
    """A store on disk, as it is, without the wipe rules."""
    return RocksStore(
        directory, partition=0, identity=IDENTITY.encode(), now_ms=lambda: now_ms, budget=budget
    )


def everything(store: StateReader) -> dict[bytes, bytes]:
    """All keys and values; fails when the scan is not ascending or disagrees with `get`."""
    found = list(store.scan(b""))
    assert [key for key, _ in found] == sorted({key for key, _ in found})
    for key, value in found:
        assert store.get(key) == value
    return dict(found)
