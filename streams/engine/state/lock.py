"""A lock on one partition's state directory, taken before anything in it is read or wiped."""

import fcntl
import os
from pathlib import Path


class StateLocked(RuntimeError):
    """Another process (or another store of this one) holds the directory. Nothing was touched."""


class DirectoryLock:
    """Held until `release`, or until the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        """Raises StateLocked, with the holder's process id, when it is taken."""
        self._file: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._file, 20).decode(errors="replace").strip() or "unknown"
            self.release()
            raise StateLocked(
                f"{path}: held by process {holder}; end it, or give this worker another instance or state_dir"
            ) from None
        os.ftruncate(self._file, 0)
        os.write(self._file, str(os.getpid()).encode())

    def release(self) -> None:
        """Give it back. Again is harmless."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
