"""Whether the state found on the disk may be trusted: it is a cache of the changelog, and wiped when in doubt.

A wipe costs a longer restore; trusting the wrong bytes costs wrong numbers. So each rule wipes, and says why.
"""

import shutil
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import msgpack

from streams.engine.state.codec import CodecError
from streams.engine.state.lock import DirectoryLock
from streams.engine.state.rocks import RocksStore, StateCorrupt
from streams.engine.state.rocks_options import Budget

# A stamp this far ahead of our clock says nothing about the store's age.
CLOCK_SLACK_MS: Final = 3_600_000


class Reason(StrEnum):
    """Why a store was wiped."""

    CORRUPT = "corrupt"
    IDENTITY = "identity"
    TOO_OLD = "too_old"


class Wiped(NamedTuple):
    """A wipe and its reason, for the log and the telemetry."""

    reason: Reason
    detail: str


class Identity(NamedTuple):
    """Which changelog a store is an image of. A topic made anew under the same name has another id."""

    topic: str
    topic_id: str
    partition: int
    generation: int = 0
    """Raised by hand when the changelog was rebuilt in place."""

    def encode(self) -> bytes:
        """The bytes kept in the store's header."""
        return msgpack.encode(self)


class Opened(NamedTuple):
    """A store that may be trusted, and the wipe that made it so, if one was needed."""

    store: RocksStore
    wiped: Wiped | None


def open_rocks(
    directory: Path,
    *,
    identity: Identity,
    now_ms: Callable[[], int],
    delete_retention_ms: int,
    budget: Budget | None = None,
) -> Opened:
    """Open `<directory>/<partition>/`, wiped if it is damaged, another changelog's, or too old.

    `delete_retention_ms`: the changelog's `delete.retention.ms`. Raises StateLocked when another process holds it;
    nothing is wiped then. Whether the changelog still has its offset, the restore judges.
    """

    def opened() -> RocksStore:
        return RocksStore(
            directory, partition=identity.partition, identity=identity.encode(), now_ms=now_ms, budget=budget
        )

    try:
        store = opened()
    except (StateCorrupt, CodecError) as error:
        _remove(directory, identity.partition)
        return Opened(opened(), Wiped(Reason.CORRUPT, str(error)))
    wiped = _judge(store, identity, now_ms(), delete_retention_ms)
    if wiped is not None:
        store.wipe()
    return Opened(store, wiped)


def _judge(store: RocksStore, identity: Identity, now_ms: int, delete_retention_ms: int) -> Wiped | None:
    header = store.header
    if header.identity != identity.encode():
        return Wiped(Reason.IDENTITY, f"{store}: is an image of {header.identity!r}, not of {identity}")
    age_ms = now_ms - header.written_ms
    # Deletions older than the retention are compacted away: a store that missed them would bring the dead back.
    # Half of it, because the restore has to reach the end before the retention is over.
    if age_ms > delete_retention_ms // 2 or age_ms < -CLOCK_SLACK_MS:
        return Wiped(
            Reason.TOO_OLD, f"{store}: last written {age_ms} ms ago, at most {delete_retention_ms // 2} count"
        )
    return None


def _remove(directory: Path, partition: int) -> None:
    """Remove the database's files under its lock: they may belong to a process that took them meanwhile."""
    lock = DirectoryLock(directory / f"{partition}.lock")
    try:
        shutil.rmtree(directory / str(partition))
    finally:
        lock.release()
