"""Sessions by the letter of H30 to H42: given ids, idle gaps, and captures that join the session that is open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from schemas.stores import Store
from tests.oracle.model import Event
from tests.oracle.orders import Order

MEMBER_TOPICS: Final = ("session", "impression", "click", "cart")  # H30, and the first capture of an order
ACTIVE_TYPES: Final = (
    "activity",
    "clicked",
    "detail_viewed",
    "added",
    "removed",
    "emptied",
    "captured",
)  # H35


@dataclass
class Session:
    """One session. `members` in the order of H31; `joined` are captures without session_id that found it open."""

    store_id: str
    person: str
    key: str
    members: list[Event]
    joined: list[Event] = field(default_factory=list)

    @property
    def identity(self) -> tuple[str, str, str]:
        """(store, person, key)"""
        return (self.store_id, self.person, self.key)

    @property
    def is_made(self) -> bool:
        """Made from an idle gap, not given by the producer."""
        return self.key.startswith("g:")

    @property
    def channel(self) -> str:
        """Of the earliest member event."""
        return self.members[0].channel

    @property
    def started_at(self) -> int:
        """Event time of the earliest member event (H34)."""
        return self.members[0].at

    @property
    def ended_at(self) -> int:
        """Event time of the latest member event; a joined order is no member (H36)."""
        return self.members[-1].at

    def of(self, *types: str) -> list[Event]:
        """Its member events of these types, in order."""
        return [event for event in self.members if event.type in types]

    @property
    def impressions(self) -> list[Event]:
        """Its member impressions, in order."""
        return self.of("shown")


def sessions_of(
    events: Sequence[Event], orders: Sequence[Order], stores: Mapping[str, Store]
) -> list[Session]:
    """All sessions, with the captures that joined them."""
    first_captures = [order.first for order in orders]
    members = [event for event in events if event.topic in MEMBER_TOPICS]
    members += [capture for capture in first_captures if capture.session_id is not None]
    given: dict[tuple[str, str, str], list[Event]] = {}
    loose: dict[tuple[str, str, str], list[Event]] = {}
    for event in sorted(members, key=lambda event: event.rank):
        if event.session_id is not None:
            given.setdefault((event.store_id, event.person, "s:" + event.session_id), []).append(event)
        else:
            loose.setdefault((event.store_id, event.person, event.channel), []).append(event)
    sessions = [Session(*identity, members=found) for identity, found in given.items()]
    for (store_id, person, channel), found in loose.items():
        timeout = stores[store_id].timeout(channel)
        run: list[Event] = []
        for event in found:
            if run and event.at - run[-1].at > timeout:  # exactly the timeout continues (H33)
                sessions.append(_made(store_id, person, channel, run))
                run = []
            run.append(event)
        sessions.append(_made(store_id, person, channel, run))
    by_person: dict[tuple[str, str, str], list[Session]] = {}
    for session in sessions:
        by_person.setdefault((session.store_id, session.person, session.channel), []).append(session)
    for capture in first_captures:
        if capture.session_id is None:
            own = by_person.get((capture.store_id, capture.person, capture.channel), [])
            _join(capture, own, stores[capture.store_id])
    return sessions


def _made(store_id: str, person: str, channel: str, run: list[Event]) -> Session:
    return Session(store_id, person, f"g:{channel}:{run[0].at}", run)


def _join(capture: Event, sessions: Sequence[Session], store: Store) -> None:
    """H36, among the person's sessions of the channel. Open is judged by member events alone: which order joins first
    makes no difference."""
    open_ones = [
        session
        for session in sessions
        if session.started_at <= capture.at <= session.ended_at + store.timeout(capture.channel)
    ]
    if open_ones:
        best = min(open_ones, key=lambda session: (-session.started_at, session.is_made, session.key))
        best.joined.append(capture)


def is_present(session: Session) -> bool:
    """Any sign of the shopper (H35); a joined order is one."""
    return bool(session.joined) or any(
        event.type not in ("ended", "support_joined")
        and not (event.type == "message" and event.direction == "out")
        for event in session.members
    )


def is_active(session: Session) -> bool:
    """The shopper did something (H35); a joined order counts (H36)."""
    return bool(session.joined) or any(
        event.type in ACTIVE_TYPES or (event.type == "message" and event.direction == "in")
        for event in session.members
    )


def closes_at(session: Session, store: Store) -> int:
    """H37: the last event, a joined order included, plus the time-out of the session's channel."""
    last = max(event.at for event in (*session.members, *session.joined))
    return last + store.timeout(session.channel)


def first_given(session: Session, name: str) -> str:
    """`device` or `country` of the earliest member event that has the field; else empty (H40)."""
    for event in session.members:
        value: str | None = getattr(event, name)
        if value is not None:
            return value
    return ""
