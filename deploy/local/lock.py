"""One supervisor a data directory: an exclusive lock that ends with its process, and who holds it in a file beside."""

import fcntl
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import msgspec

from deploy.local.errors import DirectoryLocked, LocalStackError
from streams.directories import make_private

DEFAULT_DATA = Path(".shopmeter")
LOCK_TRIES: Final = 10
LOCK_PAUSE_SECONDS: Final = 0.02


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
            self._claim()
            file = _lock_file(self.directory).open("ab")
        except OSError as error:
            raise LocalStackError(
                f"{self.directory}: cannot be used as the data directory ({error.strerror}); "
                "choose another with --data"
            ) from error
        if not _try_lock(file):
            file.close()
            raise DirectoryLocked(self._locked_message())
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

    def _claim(self) -> None:
        """Make the directory, or close one that is empty or ours. LocalStackError if it is somebody else's too."""
        make_private(self.directory)
        if not self.directory.stat().st_mode & 0o077:
            return
        # `--data /tmp` as root: with mode 0700 nobody else on the machine could use it any more.
        if not _lock_file(self.directory).is_file() and any(self.directory.iterdir()):
            raise LocalStackError(
                f"{self.directory}: others can read it, and what is in it is no stack's; choose another directory "
                "with --data, or take its rights from others (chmod 700) if it is Shopmeter's alone"
            )
        self.directory.chmod(0o700)

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


def _lock_file(directory: Path) -> Path:
    return directory / "lock"


def _try_lock(file: IO[bytes]) -> bool:
    """Take the lock; False if somebody holds it."""
    for _ in range(LOCK_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # A command that asks `is_held` has it for a moment; `up` must not take that for another stack.
            time.sleep(LOCK_PAUSE_SECONDS)
        else:
            return True
    return False


def is_held(directory: Path) -> bool:
    """Whether somebody works in a data directory now. After a crash the holder file's pid may be any process's."""
    try:
        with _lock_file(directory).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        # Nobody was ever here, or the directory is not ours: whatever works there does not speak to us.
        return False
    return False


def read_holder(directory: Path) -> LockHolder | None:
    """What the holder file says, None if there is none. It outlives a crash: ask `is_held` whether somebody runs."""
    try:
        return msgspec.json.decode((directory / "supervisor.json").read_bytes(), type=LockHolder)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
