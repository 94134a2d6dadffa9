"""Sessions: what a producer's id or an idle gap holds together. Built up event by event, the same in any order.

Counts add, times are least and greatest, descriptive fields are those of the earliest event: so an event may come at
any time and find its place. Orders are kept apart by id: an earlier capture can take an order out of a session again.
"""

from typing import Final

import msgspec
from msgspec import Struct

from processors.personal import NOTHING_PERSONAL, Goal, Served, personal_columns, serve, with_goals
from schemas.rows import ExposureRow, SessionRow
from schemas.stores import Calendar, Store

# Positions in SessionState.counts. The order is part of the stored format.
(
    STARTED,
    ENDED,
    ACTIVITIES,
    MESSAGES_IN,
    MESSAGES_OUT,
    SUPPORTS,
    EXPERIENCES,
    GOALS,
    LOGINS,
    IMPRESSIONS,
    CLICKS,
    DETAIL_VIEWS,
    ADDS,
    REMOVES,
    EMPTIES,
) = range(15)
COUNTS: Final = 15

# Any sign of the shopper makes a session present (H35); ENDED, SUPPORTS and MESSAGES_OUT are none.
_PRESENT: Final = (
    STARTED, ACTIVITIES, MESSAGES_IN, EXPERIENCES, GOALS, LOGINS,
    IMPRESSIONS, CLICKS, DETAIL_VIEWS, ADDS, REMOVES, EMPTIES,
)  # fmt: skip
# What the shopper did makes it active.
_ACTIVE: Final = (ACTIVITIES, MESSAGES_IN, CLICKS, DETAIL_VIEWS, ADDS, REMOVES, EMPTIES)

ORDER_RANK: Final = 4  # the place of the order topic in ties (H31)


class Exposure(Struct, array_like=True, gc=False):
    """What the session saw of one widget."""

    impressions: int
    first: int
    last: int
    strategies: tuple[str, ...]
    placements: tuple[str, ...]
    shown: list[
        tuple[int, str, int]
    ]  # distinct (store date, channel) of the impressions, and the earliest of each
    viewed: bool


class Described(Struct, array_like=True, gc=False, frozen=True):
    """When an event was, for ties, and what it says of the session around it."""

    at: int
    rank: int
    event_id: str
    value: str

    def before(self, other: "Described | None") -> bool:
        """Is this event earlier, by time, topic and id?"""
        if other is None:
            return True
        return (self.at, self.rank, self.event_id) < (other.at, other.rank, other.event_id)


class MemberOrder(Struct, array_like=True, gc=False):
    """The first capture of an order that names this session."""

    channel: Described
    device: str
    country: str


class SessionState(Struct, array_like=True, gc=False):
    """Everything a session's rows are made of."""

    start: int  # of the events other than orders; 0 when there is none
    end: int
    channel: Described | None
    device: Described | None
    country: Described | None
    counts: list[int]
    served: list[Served]  # ascending
    goals: list[Goal]  # ascending
    last_shown: int
    exposures: dict[str, Exposure]
    orders: dict[str, MemberOrder]
    joined: dict[str, int]  # captures without a session that fell into this one (H36): order id -> time
    viewed: bool
    born: int  # the partition its rows were born in; 0: never written


def fresh_session() -> SessionState:
    """A session without events."""
    return SessionState(0, 0, None, None, None, [0] * COUNTS, [], [], 0, {}, {}, {}, False, 0)


class View:
    """What is seen of a session when its orders are counted in: span, channel, device, country."""

    __slots__ = ("channel", "country", "device", "end", "start")

    def __init__(self, state: SessionState) -> None:
        self.start, self.end = state.start, state.end
        channel, device, country = state.channel, state.device, state.country
        for order in state.orders.values():
            first = order.channel
            if not self.start or first.at < self.start:
                self.start = first.at
            if first.at > self.end:
                self.end = first.at
            if first.before(channel):
                channel = first
            # An event's own field, so the order's other fields are judged at the same place in the order of events.
            if order.device and first.before(device):
                device = Described(first.at, first.rank, first.event_id, order.device)
            if order.country and first.before(country):
                country = Described(first.at, first.rank, first.event_id, order.country)
        self.channel = channel.value if channel else ""
        self.device = device.value if device else ""
        self.country = country.value if country else ""

    @property
    def head(self) -> tuple[int, str]:
        """What the session's exposures repeat: when these change, their rows change too."""
        return self.start, self.channel


class Session:
    """A session at work: its state, and what of it has changed since the last flush."""

    __slots__ = ("head", "key", "state", "view", "widgets")

    def __init__(self, key: str, state: SessionState) -> None:
        self.key = key
        self.state = state
        self.widgets: dict[str, None] = {}  # whose exposure has changed
        self.view = View(state)
        """As of the last flush; `refresh` looks again."""
        self.head = self.view.head

    def refresh(self) -> View:
        """What is seen of the session now."""
        self.view = View(self.state)
        return self.view

    @property
    def is_empty(self) -> bool:
        """Nothing belongs to it any more: its rows are withdrawn."""
        return self.state.channel is None and not self.state.orders


def merge(into: SessionState, other: SessionState) -> None:
    """Make one session of two made ones that a late event has bridged."""
    if other.channel is not None:
        if into.channel is None or other.start < into.start:
            into.start = other.start
        into.end = max(into.end, other.end)
        if other.channel.before(into.channel):
            into.channel = other.channel
    for name in ("device", "country"):
        theirs = getattr(other, name)
        if theirs is not None and theirs.before(getattr(into, name)):
            setattr(into, name, theirs)
    into.counts = [mine + theirs for mine, theirs in zip(into.counts, other.counts, strict=True)]
    for served in other.served:
        serve(into.served, served)
    if other.goals:
        into.goals = with_goals(into.goals, other.goals)
    into.last_shown = max(into.last_shown, other.last_shown)
    into.joined.update(other.joined)
    into.orders.update(other.orders)
    into.viewed = into.viewed or other.viewed
    for widget, theirs in other.exposures.items():
        mine = into.exposures.get(widget)
        if mine is None:
            into.exposures[widget] = theirs
            continue
        mine.impressions += theirs.impressions
        mine.first = min(mine.first, theirs.first)
        mine.last = max(mine.last, theirs.last)
        mine.strategies = (*sorted({*mine.strategies, *theirs.strategies}),)
        mine.placements = (*sorted({*mine.placements, *theirs.placements}),)
        mine.shown = earliest([*mine.shown, *theirs.shown])
        mine.viewed = mine.viewed or theirs.viewed


def earliest(shown: list[tuple[int, str, int]]) -> list[tuple[int, str, int]]:
    """The earliest impression of each (store date, channel), ascending."""
    found: dict[tuple[int, str], int] = {}
    for day, channel, at in shown:
        found[day, channel] = min(at, found.get((day, channel), at))
    return sorted((day, channel, at) for (day, channel), at in found.items())


def session_row(
    store_id: str, store: Store, calendar: Calendar, person: str, session: Session, view: View, version: int
) -> SessionRow:
    """The session as ClickHouse keeps it."""
    state = session.state
    counts = state.counts
    active = bool(state.orders or state.joined) or any(counts[i] for i in _ACTIVE)
    last = max(view.end, max(state.joined.values())) if state.joined else view.end
    served, goals = state.served, state.goals
    return SessionRow(
        store_id,
        person,
        session.key,
        state.born,
        view.channel,
        view.device,
        view.country,
        view.start,
        view.end,
        last + store.timeout(view.channel),
        calendar.day(view.start),
        int(active or any(counts[i] for i in _PRESENT)),
        int(active),
        counts[ACTIVITIES],
        counts[MESSAGES_IN],
        counts[MESSAGES_OUT],
        counts[SUPPORTS],
        counts[IMPRESSIONS],
        counts[CLICKS],
        counts[DETAIL_VIEWS],
        counts[ADDS],
        counts[REMOVES],
        counts[EMPTIES],
        len(state.orders) + len(state.joined),
        counts[GOALS],
        *(personal_columns(served, goals, store, calendar) if served or goals else NOTHING_PERSONAL),
        state.last_shown,
        state.last_shown + store.attribution_window_ms if state.last_shown else 0,
        int(state.viewed),
        version,
        0,
    )


def exposure_row(
    store_id: str, calendar: Calendar, person: str, session: Session, view: View, widget: str, version: int
) -> ExposureRow:
    """What the session saw of one widget, as ClickHouse keeps it."""
    exposure = session.state.exposures[widget]
    return ExposureRow(
        store_id,
        person,
        session.key,
        widget,
        session.state.born,
        view.channel,
        view.start,
        calendar.day(view.start),
        [*exposure.strategies],
        [*exposure.placements],
        exposure.impressions,
        exposure.first,
        exposure.last,
        [day for day, _, _ in exposure.shown],
        [channel for _, channel, _ in exposure.shown],
        [at for _, _, at in exposure.shown],
        int(exposure.viewed),
        version,
        0,
    )


def deleted_session_row(store_id: str, person: str, key: str, born: int, version: int) -> SessionRow:
    """The row that withdraws a session."""
    nothing = msgspec.msgpack.encode(
        (store_id, person, key, born, "", "", "", *([0] * 18), *NOTHING_PERSONAL, 0, 0, 0, version, 1)
    )
    return msgspec.msgpack.decode(nothing, type=SessionRow)


def deleted_exposure_row(
    store_id: str, person: str, key: str, widget: str, born: int, version: int
) -> ExposureRow:
    """The row that withdraws an exposure."""
    return ExposureRow(
        store_id, person, key, widget, born, "", 0, 0, [], [], 0, 0, 0, [], [], [], 0, version, 1
    )
