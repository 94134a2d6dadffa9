"""Definitions: names and status of what events mention, each from an instant on (decisions H12, H93).

They have no envelope and no event time: they move no watermark, and none is late or in the future. What counts is their
order in the topic. One that takes effect later waits in its own row, beside the present one; a tombstone withdraws all.
State key: `D` thing, instant -> nothing: what a tombstone has to withdraw.
"""

from collections.abc import Mapping
from typing import Any, Final

from processors.counters import ACCEPTED, FORWARDED
from processors.forwarding import forward_event
from schemas.epoch import NEVER, Outgoing, SourceRecord, StateReader, Stored
from schemas.events.decode import decode_definition
from schemas.events.definition import Definition
from schemas.events.fields import DEFINITION_KINDS
from schemas.partitioning import partition_of
from schemas.reasons import Reason, Rejected
from schemas.rows import DefinitionRow
from schemas.topics import DEFINITION

Thing = tuple[str, str, str]  # store id, kind, id
_INSTANT_BYTES: Final = 8
_LONGEST_ID: Final = 128


class Definitions:
    """The definitions whose key belongs to this partition."""

    def __init__(
        self, partition: int, partitions: int, state: StateReader, stores: Mapping[str, object]
    ) -> None:
        self._partition = partition
        self._partitions = partitions
        self._state = state
        self._stores = stores
        self.dirty: dict[tuple[Thing, int], Definition | None] = {}
        """(thing, effective at) -> what it is then; None: withdrawn."""

    def take(self, record: SourceRecord, tally: list[int], *, is_first_arrival: bool) -> Outgoing | None:
        """One record, counted in the tally. Returned if it belongs to another partition. Raises Rejected, uncounted."""
        definition = decode_definition(record.value, self._stores)
        thing = thing_of_key(record.key, self._stores) if definition is None else _thing_of(definition)
        home = partition_of("|".join(thing).encode(), self._partitions)
        if is_first_arrival and home != self._partition:
            tally[FORWARDED] += 1
            return forward_event(DEFINITION, record, home)
        tally[ACCEPTED] += 1
        if definition is not None:
            self.dirty[thing, definition.effective_at] = definition
            return None
        prefix = _state_key(thing)
        for key, _ in self._state.scan(prefix):
            self.dirty[thing, int.from_bytes(key[len(prefix) :], "big")] = None
        for place in self.dirty:
            if place[0] == thing:
                self.dirty[place] = None
        return None

    def write(self, into: dict[bytes, Stored | None], version: int) -> list[DefinitionRow]:
        """Put what has changed into `into`, and return its rows."""
        rows = []
        for (thing, at), definition in self.dirty.items():
            key = _state_key(thing) + at.to_bytes(_INSTANT_BYTES, "big")
            into[key] = None if definition is None else Stored(NEVER, b"")
            status, name = (
                ("", "") if definition is None else (definition.status or "", definition.name or "")
            )
            rows.append(DefinitionRow(*thing, at, 0, status, name, version, int(definition is None)))
        self.dirty.clear()
        return rows


def _thing_of(definition: Definition) -> Thing:
    return definition.store_id, definition.kind, definition.id


def thing_of_key(key: bytes | None, stores: Mapping[str, Any]) -> Thing:
    """What a tombstone deletes: all that it says is its key, `<store_id>|<kind>|<id>`. Raises Rejected."""
    if key is None:
        raise Rejected(Reason.MISSING_FIELD, "key")
    try:
        parts = key.decode().split("|", 2)
    except UnicodeDecodeError as error:
        raise Rejected(Reason.INVALID_VALUE, "key") from error
    if len(parts) < 3 or parts[1] not in DEFINITION_KINDS or not 0 < len(parts[2]) <= _LONGEST_ID:
        raise Rejected(Reason.INVALID_VALUE, "key")
    if parts[0] not in stores:
        raise Rejected(Reason.UNKNOWN_STORE, "key")
    return parts[0], parts[1], parts[2]


def _state_key(thing: Thing) -> bytes:
    text = "|".join(thing).encode()
    return b"D" + len(text).to_bytes(2, "big") + text
