"""What commands print through, and what becomes of them when their reader goes away: `shopmeter sql ... | head`.

Short commands end with the reader: `BrokenPipeError` reaches the command line, which ends with 0. `up` and `demo` work on
unread (`outlive_readers`): a pipeline must not end because of `| tee up.log`, where tee dies of the same Ctrl-C.
"""

import os
import sys
from typing import Any, TextIO, cast


def console(**options: Any) -> Any:
    """A rich console that leaves a broken pipe to its caller. `options`: rich's own."""
    from rich.console import Console

    made: Any = Console(highlight=False, **options)
    made.on_broken_pipe = _raise
    return made


def _raise() -> None:
    # Called where the error is being handled. Rich's own way raises SystemExit(1): in a task it takes the loop down.
    raise


def flush_stdout() -> None:
    """Write what print() still holds. A reader that went away is no error; a full disk is: OSError."""
    if sys.stdout is None:  # started without one: `>&-`
        return
    try:
        sys.stdout.flush()
    except OSError as error:
        # Python would try once more at its end, complain, and exit with 120.
        _let_go(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            raise


def outlive_readers() -> None:
    """From now on what nobody reads any more is dropped, on stdout and stderr."""
    if sys.stdout is not None:
        sys.stdout = cast(TextIO, _Unbroken(sys.stdout))
    if sys.stderr is not None:
        sys.stderr = cast(TextIO, _Unbroken(sys.stderr))


class _Unbroken:
    """A stream whose reader may go away."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            _let_go(self._stream)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            _let_go(self._stream)


def _let_go(stream: TextIO) -> None:
    """What the stream holds and what comes goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
