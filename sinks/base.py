"""What a sink promises: a batch is stored as a whole, or an error says what to do about it.

A row on its way is the wire's row: the struct of `schemas.rows` as a MessagePack array, fields in order. Rows are
absolute and versioned, so a batch may be written any number of times: the higher version wins, `is_deleted` hides.

    SinkError
    ├── Backpressure   not now: the same batch may pass later; whether it was stored is not known
    ├── Rejected       this batch never passes as it is: a part of it may (see `sinks.delivery`)
    └── SinkBroken     nobody knows: stop the process, a human must look
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Batch(NamedTuple):
    """Rows of one table and one month, the unit of an insert: it becomes one block in one partition."""

    table: str
    month: int
    """The partition of all these rows: days since 1970-01-01 of the month's first day."""
    rows: Sequence[bytes]
    """Wire rows. Best one version a key, but not necessarily so."""


class SinkError(Exception):
    """A batch was not stored, or not known to be. `code`: ClickHouse's error code, 0 if it did not come that far."""

    def __init__(self, message: str, *, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class Backpressure(SinkError):
    """Not now. Keep the batch, wait, and write it again; offsets stay where they are."""


class Rejected(SinkError):
    """The store refuses what is in the batch; the same batch will never pass."""


class SinkBroken(SinkError):
    """An error nobody has classified yet. Stop: to repeat it for ever hides it, to go on loses rows."""


class Sink(Protocol):
    """Where rows go. ClickHouse and the memory sink pass one suite: tests/contracts/test_sink.py."""

    async def write(self, batch: Batch) -> None:
        """Store the batch so that a read that starts afterwards sees it; raises a SinkError otherwise."""
        ...

    async def close(self) -> None:
        """Give back connections. Nothing is written any more."""
        ...
