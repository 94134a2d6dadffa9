"""Files that commands write: opened before the work begins, and under their name only when they are whole."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from deploy.cli.exits import CommandError, ExitCode


@contextmanager
def writing(option: str, path: Path) -> Iterator[None]:
    """An OSError of the block is one line on what the option named."""
    try:
        yield
    except OSError as error:
        raise CommandError(
            f"{option} {path}: can't be written: {error.strerror}; name another, where you may write and there is space",
            ExitCode.USAGE,
        ) from None


@contextmanager
def whole_file(option: str, path: Path) -> Iterator[IO[bytes]]:
    """A file to write in the block; what stood under its name stays there until the block ends without an error.

    What is no file (`/dev/stdout`, a pipe) is written as it comes. CommandError before the block if it can't be written.
    """
    with writing(option, path):
        is_file = path.is_file() or not path.exists()
        target = path.resolve() if is_file else path
        part = target.with_name(f"{target.name}.part") if is_file else path
        file = part.open("wb")
        if target.is_file():
            shutil.copymode(target, part)  # one that only its owner could read stays so
    try:
        with file:
            yield file
        if part != target:
            part.replace(target)
    except BaseException:
        if part != target:
            part.unlink(missing_ok=True)
        raise
