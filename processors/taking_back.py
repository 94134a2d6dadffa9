"""Events that turn out to be somebody else's, taken back from the person they were applied to.

Sessions that hold one of them are made again from the person's journal: withdrawn, then lived through once more without
what has gone. Everything else only loses its touches, or its order. Rare, so clear rather than fast; when all that there
was moves (browsing, then a login), nothing is left to live through.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from processors.browsing import HANDLERS, Browsing
from processors.orderbook import OrderBook
from processors.people import People
from processors.person import Person
from processors.sessions import SessionState
from processors.spans import made_key
from schemas.events.browsing import CartEmptied
from schemas.events.order import OrderCaptured

Made = tuple[str, int, int]
"""Channel, start and end of a made session."""


class TakingBack:
    """Undoes what events have done to a person."""

    def __init__(self, people: People, browsing: Browsing, orders: OrderBook) -> None:
        self._people = people
        self._browsing = browsing
        self._orders = orders

    def take_back(self, person: Person, leaving: Sequence[Any], staying: Sequence[Any]) -> None:
        """Undo `leaving`. `staying`: the rest of the person's journal. Both with event time in `occurred_at`."""
        self._people.dirty[person.key] = person
        for event in leaving:
            if event.__class__ is OrderCaptured:
                self._orders.uncaptured(event, person.tenant, person)
        members: list[Any] = [event for event in leaving if event.__class__ in HANDLERS]
        if not members:
            return
        given = sorted({"s:" + event.session_id for event in members if event.session_id is not None})
        made = sorted({_made_around(person, event) for event in members if event.session_id is None})
        again: list[Any] = [
            event for event in staying if event.__class__ in HANDLERS and _is_of(event, given, made)
        ]
        both = [*members, *again]
        low = min(event.occurred_at for event in both)
        empties = [event.occurred_at for event in both if event.__class__ is CartEmptied]
        person.history.take_out({event.event_id for event in both}, empties, low, person.tenant.window)
        base = self._people.base_of(person) if person.since else {}
        for key in given:
            self._begin_again(person, key, base.get(key))
        for channel, start, end in made:
            self._unmake(person, channel, start, end, base)
            low = min(low, start)
        person.changed = person.unsettled = True
        for event in sorted(again, key=_by_time):
            HANDLERS[event.__class__](self._browsing, event, event.occurred_at, person)
        # Their credit, and the sessions that they name, may be others now.
        self._orders.touched(person, low)

    def _begin_again(self, person: Person, key: str, base: SessionState | None) -> None:
        """Let a producer's session be what it was before the journal, but for its orders."""
        old = self._withdraw(person, key)
        session = self._people.session(person, key)
        if base is not None:
            session.state = base
        session.state.orders, session.state.joined, session.state.born = old.orders, old.joined, old.born
        session.widgets.update(dict.fromkeys(session.state.exposures))
        self._people.touch(person, session)

    def _unmake(
        self, person: Person, channel: str, start: int, end: int, base: dict[str, SessionState]
    ) -> None:
        """Take a made session apart, into those that had been in its place before the journal."""
        self._withdraw(person, made_key(channel, start))
        person.renamed[made_key(channel, start)] = ""
        spans = [span for span in person.spans[channel] if span[0] != start]
        for key, state in base.items():
            # By the whole key: a channel `app:ios` has keys that begin as those of `app` do.
            if key == made_key(channel, state.start) and start <= state.start <= end:
                person.renamed.pop(key, None)
                session = self._people.session(person, key)
                session.state = state
                state.joined = {}
                session.widgets.update(dict.fromkeys(state.exposures))
                self._people.touch(person, session)
                spans.append([state.start, state.end])
        person.spans[channel] = sorted(spans)
        if not spans:
            del person.spans[channel]

    def _withdraw(self, person: Person, key: str) -> SessionState:
        """Forget a session and withdraw its rows; it may be born again."""
        state = self._people.session(person, key).state
        del person.sessions[key]
        person.dirty_sessions.pop(key, None)
        person.withdraw(key, state)
        return state


def _made_around(person: Person, event: Any) -> Made:
    for start, end in person.spans.get(event.channel, ()):
        if start <= event.occurred_at <= end:
            return event.channel, start, end
    raise LookupError(
        f"event {event.event_id} of {event.store_id} is to be taken back from a session that is forgotten:"
        " corrupt state, or a journal that is kept longer than spans"
    )


def _is_of(event: Any, given: Sequence[str], made: Sequence[Made]) -> bool:
    if event.session_id is not None:
        return "s:" + event.session_id in given
    return any(channel == event.channel and start <= event.occurred_at <= end for channel, start, end in made)


_by_time = attrgetter("occurred_at")
