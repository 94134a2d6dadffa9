"""One supervisor a data directory: an exclusive lock that ends with its process, and who holds it in a file beside."""

import fcntl
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec

from deploy.local.errors import DirectoryLocked, LocalStackError

DEFAULT_DATA = Path(".shopmeter")


class LockHolder(msgspec.Struct, frozen=True):
    """Who works in a data directory: process, since when (ISO 8601, UTC), and where its services listen."""

    pid: int
    started_at: str
    urls: dict[str, str] = {}


class DataLock:
    """The right to work in a data directory, held from `with` to its end.

    The lock is the kernel's, so a killed holder leaves no stale one; the holder file only tells who it is.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self._file: IO[bytes] | None = None
        self._holder = LockHolder(pid=os.getpid(), started_at="")

    @property
    def holder_file(self) -> Path:
        return self.directory / "supervisor.json"

    def __enter__(self) -> Self:
        """DirectoryLocked, naming pid and urls, if another holds it; LocalStackError if it cannot be used."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.directory.chmod(0o700)  # it may be there already, made by hand with wider rights
            file = (self.directory / "lock").open("ab")
        except OSError as error:
            raise LocalStackError(
                f"{self.directory}: cannot be used as the data directory ({error.strerror}); "
                "choose another with --data"
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise DirectoryLocked(self._locked_message()) from None
        self._file = file
        self._holder = LockHolder(pid=os.getpid(), started_at=datetime.now(UTC).isoformat(timespec="seconds"))
        self._write()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            # The file first: once the lock is free it may be another's.
            self.holder_file.unlink(missing_ok=True)
            self._file.close()
            self._file = None

    def publish(self, urls: Mapping[str, str]) -> None:
        """Say where the services listen; read by whoever finds the directory locked, and by the commands."""
        if self._file is None:
            raise LocalStackError(f"{self.directory}: not locked by this process; `with DataLock(...)` first")
        self._holder = msgspec.structs.replace(self._holder, urls=dict(urls))
        self._write()

    def _write(self) -> None:
        # In one move, so that a reader never sees half of it.
        fresh = self.holder_file.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(self._holder))
        fresh.replace(self.holder_file)

    def _locked_message(self) -> str:
        holder = read_holder(self.directory)
        if holder is None:
            return (
                f"{self.directory} is in use by another process; wait for it, or choose another with --data"
            )
        urls = ", ".join(f"{name} {url}" for name, url in holder.urls.items()) or "nothing yet"
        return (
            f"{self.directory} is in use by pid {holder.pid} since {holder.started_at}, serving {urls}; "
            f"stop it (Ctrl-C there, or kill {holder.pid}), or choose another directory with --data"
        )


def read_holder(directory: Path) -> LockHolder | None:
    """What the holder file says, None if there is none. After a crash it may tell of a process that is gone."""
    try:
        return msgspec.json.decode((directory / "supervisor.json").read_bytes(), type=LockHolder)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
