"""Cells of numbers that only grow: windowed counters and the ledger, kept in state by key, written when touched."""

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import msgspec

from schemas.epoch import StateReader, Stored
from schemas.measures import LIVE_WINDOW_SECONDS, MEASURES, WINDOW_SECONDS
from schemas.reasons import Reason
from schemas.rows import CounterRow, LedgerRow
from schemas.topics import DAY_MS

Key = TypeVar("Key", bound=tuple[Any, ...])

HOUR_MS: Final = 3_600_000
WINDOW_MS: Final = WINDOW_SECONDS * 1000
LIVE_WINDOW_MS: Final = LIVE_WINDOW_SECONDS * 1000
INDEX: Final = {measure: index for index, measure in enumerate(MEASURES)}

CounterKey = tuple[str, int, int, str]  # store id, window seconds, window start, channel
LedgerKey = tuple[str, int]  # short topic, hour start

# Cells of the ledger: buckets, then dead letters by reason.
BUCKETS: Final = ("read", "accepted", "duplicate", "test_traffic", "dead_letter", "too_late", "forwarded")
READ, ACCEPTED, DUPLICATE, TEST_TRAFFIC, DEAD_LETTER, TOO_LATE, FORWARDED = range(7)
REASONS: Final = tuple(sorted(reason.value for reason in Reason if reason is not Reason.TOO_LATE))
LEDGER_NAMES: Final = (*BUCKETS, *REASONS)
REASON_INDEX: Final = {reason: len(BUCKETS) + i for i, reason in enumerate(REASONS)}


class Cells(Generic[Key]):
    """Lists of integers by key. `names`: what each position counts; stored by name, so that positions may change."""

    def __init__(self, prefix: bytes, names: tuple[str, ...], state: StateReader, limit: int = 2_000) -> None:
        self._prefix = prefix
        self._names = names
        self._state = state
        self._limit = limit
        self._known: dict[Key, list[int]] = {}
        self.dirty: set[Key] = set()

    def cell(self, key: Key) -> list[int]:
        """The cell to add to; it counts as changed."""
        self.dirty.add(key)
        cell = self._known.get(key)
        if cell is None:
            stored = self._state.get(self._state_key(key))
            values = _decode(stored) if stored is not None else {}
            cell = self._known[key] = [values.get(name, 0) for name in self._names]
        return cell

    def _state_key(self, key: Key) -> bytes:
        return self._prefix + _encode(key)

    def write(
        self, into: dict[bytes, Stored | None], expires_day: Callable[[Key], int]
    ) -> list[tuple[Key, list[int]]]:
        """Put the changed cells into `into`, and return them."""
        changed = []
        for key in self.dirty:
            cell = self._known[key]
            values = {name: value for name, value in zip(self._names, cell, strict=True) if value}
            into[self._state_key(key)] = Stored(expires_day(key), _encode(values))
            changed.append((key, cell))
        self.dirty.clear()
        if len(self._known) > self._limit:
            self._known.clear()
        return changed


def counter_row(key: CounterKey, cell: list[int], partition: int, born: int, version: int) -> CounterRow:
    """A window's counts as ClickHouse keeps them."""
    store_id, seconds, start, channel = key
    counted = [(name, value) for name, value in zip(MEASURES, cell, strict=True) if value]
    names, values = [name for name, _ in counted], [value for _, value in counted]
    return CounterRow(store_id, seconds, start, channel, partition, born, names, values, version, 0)


def ledger_row(key: LedgerKey, cell: list[int], partition: int, born: int, version: int) -> LedgerRow:
    """An hour's buckets as ClickHouse keeps them."""
    topic, hour = key
    counted = [(name, value) for name, value in zip(REASONS, cell[len(BUCKETS) :], strict=True) if value]
    return LedgerRow(
        topic,
        partition,
        hour,
        born,
        cell[READ],
        cell[ACCEPTED],
        cell[DUPLICATE],
        cell[TEST_TRAFFIC],
        cell[DEAD_LETTER],
        cell[TOO_LATE],
        cell[FORWARDED],
        [name for name, _ in counted],
        [value for _, value in counted],
        version,
        0,
    )


def counter_expiry(key: CounterKey, retention_ms: int) -> int:
    """A window is kept for as long as an event in it can come in time."""
    return (key[2] + retention_ms) // DAY_MS + 2


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(dict[str, int]).decode
