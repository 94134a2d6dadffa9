"""A person at work, and what is stored of one beside sessions and sealed segments."""

from hashlib import blake2b
from typing import Final

from msgspec import Struct

from processors.links import Linked
from processors.segments import SealedRef, Segment, empty_segment
from processors.sessions import Session, SessionState
from processors.spans import Span, made_key, start_of
from processors.touches import History
from schemas.rates import NO_RATES, Rates
from schemas.stores import Store, calendar_of
from schemas.topics import DAY_MS

# Beside an event that may move stands what shares its session: how far a session may reach back.
SESSION_MS: Final = 2 * DAY_MS


class Loose(Struct, array_like=True, gc=False):
    """An order captured without a session id, and the session it counts in so far (H36); empty key: none."""

    order_id: str
    at: int
    channel: str
    key: str
    start: int


class PersonState(Struct, array_like=True, gc=False):
    """What nearly every event of a person changes."""

    open: Segment
    spans: dict[str, list[Span]]
    has_past: bool
    linked: dict[str, Linked]  # a customer's devices
    since: int  # the clock of the epoch in which the customer's journal began, 0: none
    assigned: int  # the latest event of a device that has come to the customer, ms


def fresh_person() -> PersonState:
    """Somebody of whom nothing is known."""
    return PersonState(empty_segment(), {}, False, {}, 0, 0)


class PersonPast(Struct, array_like=True, gc=False):
    """What few events change, all ascending in time: written with every event, it would make each cost the whole week."""

    sealed: list[SealedRef]
    orders: list[tuple[int, str]]  # (captured at, order id) that a late touch may still change
    loose: list[Loose]


class Tenant:
    """A store with what is worked out once from its settings."""

    __slots__ = (
        "calendar", "id_hash", "journal", "lateness", "rates", "retention", "store", "store_id", "window",
    )  # fmt: skip

    def __init__(self, store_id: str, store: Store, rates: Rates = NO_RATES) -> None:
        self.store_id = store_id
        self.store = store
        self.rates = rates
        self.calendar = calendar_of(store.zone)
        # Begun once: to take up the store's id again for each event costs as much as to hash the event's.
        self.id_hash = blake2b(f"{store_id}|".encode(), digest_size=16).copy
        self.window = store.attribution_window_ms
        self.lateness = store.allowed_lateness_ms
        # An order's credit may change until its versions are in: lateness after capture, and lateness to arrive.
        self.retention = store.attribution_window_ms + 2 * store.allowed_lateness_ms
        self.journal = self.retention + SESSION_MS


class Person:
    """A person at work."""

    __slots__ = (
        "assigned", "base", "changed", "dirty_sessions", "has_past", "heads", "history", "key", "linked", "loose",
        "moves", "name", "orders", "past_changed", "renamed", "sessions", "since", "spans", "tenant", "unsettled",
        "weight", "withdrawn",
    )  # fmt: skip

    def __init__(
        self, tenant: Tenant, name: str, key: bytes, state: PersonState, past: PersonPast, history: History
    ) -> None:
        self.tenant = tenant
        self.name = name
        self.key = key
        self.history = history
        self.spans = state.spans
        self.linked, self.since, self.assigned = state.linked, state.since, state.assigned
        self.base: dict[str, bytes] | None = None  # of a journal that has begun in this epoch
        # How far back events may still come to a customer, from a device that turns out to be theirs: so long an order
        # may earn something else, and so much longer touches are remembered. From a device events only go.
        self.moves = tenant.window if name[0] == "c" else 0
        self.orders = past.orders
        self.loose = past.loose
        self.has_past = state.has_past
        self.sessions: dict[str, Session] = {}
        self.heads: dict[str, tuple[int, int]] | None = (
            None  # of all stored sessions, once somebody has asked
        )
        self.changed = False
        self.past_changed = False
        self.unsettled = False  # an order was taken out of a session: all loose orders are judged again
        self.weight = 0  # bytes that what is in memory takes when stored
        self.dirty_sessions: dict[str, Session] = {}
        self.withdrawn: dict[
            str, tuple[int, list[str]]
        ] = {}  # session key -> born, widgets of rows to withdraw
        self.renamed: dict[str, str] = {}  # key of a made session -> the key it has had since this epoch

    def session_key_of(self, session_id: str, channel: str, at: int) -> str | None:
        """The key of the session of a touch: the producer's, or the made one that holds `at`.

        None for a touch older than the journal, whose made session was taken apart and made again without its older
        part (decision 6).
        """
        if session_id:
            return "s:" + session_id
        start = start_of(self.spans.get(channel, []), at)
        return None if start is None else made_key(channel, start)

    def withdraw(self, key: str, state: SessionState) -> None:
        """The rows of the session `key`, as `state` has it, are to be withdrawn with the epoch; it may be born again."""
        # What it showed when it was withdrawn before in this epoch may be gone from it since, but not from its table.
        born, widgets = self.withdrawn.get(key, (0, []))
        self.withdrawn[key] = state.born or born, [*dict.fromkeys((*widgets, *state.exposures))]

    def current_key(self, key: str) -> str:
        """The key that a session once known as `key` has now."""
        while key in self.renamed:
            key = self.renamed[key]
        return key
