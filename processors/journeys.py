"""Executions of journeys: start, end, goal, as the events that came to this partition tell them (decisions H90 to H92).

An execution has no person: its events come under whatever key they have, nobody forwards them, and the rows of all
partitions are put together at reading. Everything is a least or a greatest of the events, so they may come in any order.
State key: `E` store|execution. Kept for ever, ended ones too: a goal counts at any time (H91), and a row made without the
start that came a year before it would hide that start.
"""

from typing import Final

import msgspec
from msgspec import Struct

from processors.person import Tenant
from schemas.epoch import NEVER, StateReader, Stored
from schemas.events.journey import JourneyGoalReached, JourneyNodeEvent, JourneyStarted, NodeEntered
from schemas.rows import JourneyRow

ExecutionKey = tuple[str, str]  # store id, execution id

TERMINAL: Final = ("end", "cancel")  # in the order of ties


class Told(Struct, array_like=True, gc=False, frozen=True):
    """An event, and what it says of its journey."""

    at: int
    event_id: str
    journey_id: str
    channel: str
    version: str

    def before(self, other: "Told | None") -> bool:
        """Is this the earlier event?"""
        return other is None or (self.at, self.event_id) < (other.at, other.event_id)


class Execution(Struct, array_like=True, gc=False):
    """What is known of an execution here."""

    first: Told | None = None
    start: Told | None = None
    end: tuple[int, int] | None = None  # when, and which of TERMINAL
    goal: int = 0
    last: int = 0
    born: int = 0  # the partition its row was born in; 0: never written


class Journeys:
    """The executions that this partition has heard of."""

    def __init__(self, state: StateReader, limit: int) -> None:
        self._state = state
        self._limit = limit
        self._known: dict[ExecutionKey, Execution] = {}
        self.dirty: dict[ExecutionKey, Tenant] = {}

    def take(self, event: JourneyNodeEvent, at: int, tenant: Tenant) -> None:
        """Any event of the journey-node topic, at event time `at`."""
        key = event.store_id, event.execution_id
        known = self._known.get(key) or self._load(key)
        is_new = False
        version = (event.journey_version or "") if isinstance(event, JourneyStarted) else ""
        told = Told(at, event.event_id, event.journey_id, event.channel, version)
        if told.before(known.first):
            known.first, is_new = told, True
        if at > known.last:
            known.last, is_new = at, True
        if isinstance(event, JourneyStarted):
            if told.before(known.start):
                known.start, is_new = told, True
        elif isinstance(event, NodeEntered):
            if event.node_type in TERMINAL:
                end = at, TERMINAL.index(event.node_type)
                if known.end is None or end < known.end:
                    known.end, is_new = end, True
        elif isinstance(event, JourneyGoalReached) and (not known.goal or at < known.goal):
            known.goal, is_new = at, True
        if is_new:
            self.dirty[key] = tenant

    def _load(self, key: ExecutionKey) -> Execution:
        stored = self._state.get(_state_key(key))
        known = self._known[key] = _decode(stored) if stored is not None else Execution()
        return known

    def get(self, key: ExecutionKey) -> Execution:
        """An execution of `dirty`."""
        return self._known[key]

    def write(self, into: dict[bytes, Stored | None]) -> None:
        """Put what has changed into `into`. Rows have been made already."""
        for key in self.dirty:
            into[_state_key(key)] = Stored(NEVER, _encode(self._known[key]))
        self.dirty.clear()
        if len(self._known) > self._limit:
            self._known.clear()


def journey_row(
    key: ExecutionKey, known: Execution, tenant: Tenant, partition: int, version: int
) -> JourneyRow:
    """The execution as ClickHouse keeps it. It has at least one event."""
    first, start, end = known.first, known.start, known.end
    assert first is not None
    day = tenant.calendar.day
    begun = start or _NEVER
    return JourneyRow(
        *key,
        partition,
        known.born,
        begun.at,
        begun.event_id,
        day(begun.at) if start else 0,
        begun.journey_id,
        begun.version,
        begun.channel,
        first.at,
        first.event_id,
        first.journey_id,
        first.channel,
        end[0] if end else 0,
        TERMINAL[end[1]] if end else "",
        day(end[0]) if end else 0,
        known.goal,
        known.last,
        version,
        0,
    )


def _state_key(key: ExecutionKey) -> bytes:
    return b"E" + key[0].encode() + b"|" + key[1].encode()


_NEVER: Final = Told(0, "", "", "", "")
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Execution).decode
