"""The accepted events of people whose events may still move to somebody else, for as long as they may (decisions H21).

A device's journal holds every event that named the device alone, whoever they belong to now. A customer's holds, once a
device's events have come to them, all that was applied to them since. One value a person and epoch, never written again:
an event costs the same after ten thousand others. State key: `J` person, epoch's clock -> events, and ids of events
taken back.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from processors.keeping import AT, EVENT_ID, Kept
from schemas.epoch import StateReader, Stored

_CLOCK_BYTES: Final = 8

Entry = Kept | str
"""An event, or the id of one that is taken back."""


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
        for key, value in self._state.scan(b"J" + person):
            if int.from_bytes(key[-_CLOCK_BYTES:], "big") >= since:
                _fold(found, _decode(value))
        held = self._fresh.get(person)
        if held is not None:
            _fold(found, held[1])
        return {event_id: kept for event_id, kept in found.items() if kept[AT] >= oldest}

    def write(self, into: dict[bytes, Stored | None], clock: int) -> None:
        """Put the epoch's entries into `into`."""
        for person, (expires_day, entries) in self._fresh.items():
            key = b"J" + person + clock.to_bytes(_CLOCK_BYTES, "big")
            into[key] = Stored(expires_day, _encode(entries))
        self._fresh.clear()


def _fold(found: dict[str, Kept], entries: Iterable[Any]) -> None:
    for entry in entries:
        if isinstance(entry, str):
            found.pop(entry, None)
        else:
            found[entry[EVENT_ID]] = entry


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[Any]).decode
