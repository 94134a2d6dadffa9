"""The accepted events of people whose events may still move to somebody else, for as long as they may (decisions H21).

A device's journal holds every event that named the device alone, whoever they belong to now. A customer's holds, once a
device's events have come to them, all that was applied to them since. One value a person and epoch, never written again:
an event costs the same after ten thousand others. State key: `J` person, epoch's clock, part -> events, and ids of
events taken back.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from processors.keeping import AT, EVENT_ID, Kept
from schemas.epoch import StateReader, Stored

PART_BYTES: Final = 1_048_576
"""A part of entries takes no more: all that a busy device did in an epoch may be larger than a record can be."""
_CLOCK_BYTES: Final = 8
_PART_BYTES: Final = 2

Entry = Kept | str
"""An event, or the id of one that is taken back."""


def parts(entries: list[Entry]) -> Iterator[tuple[list[Entry], bytes]]:
    """The entries in their order, in parts that a record can hold, and each part as it is stored."""
    encoded = _encode(entries)
    if len(encoded) > PART_BYTES and len(entries) > 1:
        middle = len(entries) // 2
        yield from parts(entries[:middle])
        yield from parts(entries[middle:])
    else:
        yield entries, encoded


class Journal:
    """The journals of one partition's people. `person`: the part of a state key that names one."""

    def __init__(self, state: StateReader) -> None:
        self._state = state
        self._fresh: dict[bytes, tuple[int, list[Entry]]] = {}  # day of expiry, entries

    @property
    def fresh(self) -> int:
        """People whose journal grows with this epoch."""
        return len(self._fresh)

    def add(self, person: bytes, entries: Iterable[Entry], expires_day: int) -> None:
        """Keep these. `expires_day`: when none of them can move any more, those that are taken back neither."""
        held = self._fresh.get(person)
        if held is not None:
            expires_day, entries = max(expires_day, held[0]), [*held[1], *entries]
        self._fresh[person] = expires_day, list(entries)

    def events(self, person: bytes, *, since: int = 0, oldest: int = 0) -> dict[str, Kept]:
        """Event id -> event, of all that was added since the clock `since` and not taken back, but for events before
        `oldest` (ms), of which some may have expired and others not."""
        found: dict[str, Kept] = {}
        prefix = b"J" + person
        for key, value in self._state.scan(prefix):
            if int.from_bytes(key[len(prefix) : len(prefix) + _CLOCK_BYTES], "big") >= since:
                _fold(found, _decode(value))
        held = self._fresh.get(person)
        if held is not None:
            _fold(found, held[1])
        return {event_id: kept for event_id, kept in found.items() if kept[AT] >= oldest}

    def write(self, into: dict[bytes, Stored | None], clock: int) -> None:
        """Put the epoch's entries into `into`."""
        for person, (expires_day, entries) in self._fresh.items():
            prefix = b"J" + person + clock.to_bytes(_CLOCK_BYTES, "big")
            for number, (_, encoded) in enumerate(parts(entries)):
                into[prefix + number.to_bytes(_PART_BYTES, "big")] = Stored(expires_day, encoded)
        self._fresh.clear()


def _fold(found: dict[str, Kept], entries: Iterable[Any]) -> None:
    for entry in entries:
        if isinstance(entry, str):
            found.pop(entry, None)
        else:
            found[entry[EVENT_ID]] = entry


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[Any]).decode
