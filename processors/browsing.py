"""Sessions, impressions, clicks and carts: what each event does to the person's sessions and touches."""

from collections.abc import Callable
from typing import Any, Final

from processors import sessions as s
from processors.orderbook import OrderBook
from processors.people import People
from processors.person import Person
from processors.personal import Goal, Served, serve, with_goals
from processors.segments import ADDED, CLICKED, NO_POSITION, REMOVED, VIEWED, Act, Impression
from processors.sessions import Described, Exposure, Session, merge
from processors.spans import made_key, place
from schemas.events.browsing import (
    CartAdded,
    CartEmptied,
    CartRemoved,
    DetailViewed,
    ProductClicked,
    ProductsShown,
)
from schemas.events.session import (
    ActivitySeen,
    ExperienceServed,
    GoalReached,
    MessageExchanged,
    PersonIdentified,
    SessionEnded,
    SessionStarted,
    SupportJoined,
)

Handler = Callable[["Browsing", Any, int, Person], None]


class Browsing:
    """Applies the events of the session, impression, click and cart topics. `at`: event time in ms."""

    def __init__(self, people: People, orders: OrderBook) -> None:
        self._people = people
        self._orders = orders

    # -- the session an event belongs to ---------------------------------------------------------------------------

    def _member(self, person: Person, event: Any, at: int, rank: int) -> Session:
        """The event's session, with the event counted in as a member (H30 to H34)."""
        session_id = event.session_id
        key = "s:" + session_id if session_id is not None else self._made(person, event.channel, at)
        session = person.sessions.get(key) or self._people.session(person, key)
        state = session.state
        channel = state.channel
        if channel is None:
            state.start = state.end = at
            state.channel = Described(at, rank, event.event_id, event.channel)
        else:
            if at > state.end:
                state.end = at
            elif at < state.start:
                state.start = at
            if at <= channel.at:
                mine = Described(at, rank, event.event_id, event.channel)
                if mine.before(channel):
                    state.channel = mine
        context = event.context
        if context is not None:
            if context.device and (state.device is None or at <= state.device.at):
                mine = Described(at, rank, event.event_id, context.device)
                if mine.before(state.device):
                    state.device = mine
            if context.country and (state.country is None or at <= state.country.at):
                mine = Described(at, rank, event.event_id, context.country)
                if mine.before(state.country):
                    state.country = mine
        person.dirty_sessions[key] = session
        return session

    def _made(self, person: Person, channel: str, at: int) -> str:
        """The key of the made session at `at`, after moving sessions that the event extends backward or bridges."""
        spans = person.spans.get(channel)
        if spans is None:
            spans = person.spans[channel] = []
        placed = place(spans, at, person.tenant.store.timeout(channel))
        person.changed = True
        key = made_key(channel, placed.start)
        if person.renamed:
            person.renamed.pop(key, None)  # taken apart in this epoch, and there again
        for start in placed.void:
            self._move(person, made_key(channel, start), key)
        if placed.void:
            self._view_again(person, channel, placed.start, person.sessions[key])
            self._orders.touched(person, placed.start)
        return key

    def _move(self, person: Person, old: str, new: str) -> None:
        """Give the session `old` the key `new`; if `new` exists, the two become one. The old rows are withdrawn."""
        moved = self._people.session(person, old)
        del person.sessions[old]
        person.dirty_sessions.pop(old, None)
        person.withdraw(old, moved.state)
        moved.state.born = 0
        person.renamed[old] = new
        target = self._people.session(person, new)
        if target.is_empty:
            born, target.state = target.state.born, moved.state
            target.state.born = born
        else:
            merge(target.state, moved.state)
        target.widgets |= dict.fromkeys(target.state.exposures)
        self._people.touch(person, target)

    # -- detail views after impressions (H76) ----------------------------------------------------------------------

    def _see(self, state: s.SessionState, session: Session, impression_widget: str, view_widget: str) -> None:
        state.viewed = True
        if not view_widget or view_widget == impression_widget:
            exposure = state.exposures[impression_widget]
            if not exposure.viewed:
                exposure.viewed = True
                session.widgets[impression_widget] = None

    def _view_again(self, person: Person, channel: str, start: int, session: Session) -> None:
        """Look for detail views after impressions in a made session that has just grown together."""
        end = session.state.end
        for segment, _ in list(person.history.newest_first(start, end)):
            for product, acts in segment.acts.items():
                for act in acts:
                    if (
                        act.kind == VIEWED
                        and not act.session_id
                        and act.channel == channel
                        and start <= act.at <= end
                    ):
                        for impression in person.history.impressions_of(product, start, act.at):
                            if not impression.session_id and impression.channel == channel:
                                self._see(session.state, session, impression.widget, act.widget)

    # -- session topic ---------------------------------------------------------------------------------------------

    def count(self, event: Any, at: int, person: Person) -> None:
        """An event that is only counted."""
        self._member(person, event, at, 0).state.counts[_COUNTED[event.__class__]] += 1

    def message(self, event: MessageExchanged, at: int, person: Person) -> None:
        """A message, in or out."""
        counts = self._member(person, event, at, 0).state.counts
        counts[s.MESSAGES_IN if event.direction == "in" else s.MESSAGES_OUT] += 1

    def experience(self, event: ExperienceServed, at: int, person: Person) -> None:
        """A personalization was served."""
        state = self._member(person, event, at, 0).state
        state.counts[s.EXPERIENCES] += 1
        serve(state.served, Served(event.experience_id, event.variant_id or "", event.test_id or "", at, at))

    def goal(self, event: GoalReached, at: int, person: Person) -> None:
        """A conversion."""
        state = self._member(person, event, at, 0).state
        state.counts[s.GOALS] += 1
        goal = Goal(
            at,
            event.event_id,
            event.goal_id,
            event.experience_id or "",
            event.value,
            event.currency or "",
        )
        state.goals = with_goals(state.goals, [goal])

    # -- impressions -----------------------------------------------------------------------------------------------

    def shown(self, event: ProductsShown, at: int, person: Person) -> None:
        """A widget was seen with its products."""
        session = self._member(person, event, at, 1)
        state = session.state
        widget = event.widget_id
        channel = event.channel
        strategy, placement = event.strategy or "", event.placement or ""
        state.counts[s.IMPRESSIONS] += 1
        if at > state.last_shown:
            state.last_shown = at
        exposure = state.exposures.get(widget)
        if exposure is None:
            exposure = state.exposures[widget] = Exposure(0, at, at, (), (), [], False)
        exposure.impressions += 1
        if at > exposure.last:
            exposure.last = at
        elif at < exposure.first:
            exposure.first = at
        if strategy and strategy not in exposure.strategies:
            exposure.strategies = (*sorted([*exposure.strategies, strategy]),)
        if placement and placement not in exposure.placements:
            exposure.placements = (*sorted([*exposure.placements, placement]),)
        day = person.tenant.calendar.day(at)
        for number, (known_day, known_channel, first) in enumerate(exposure.shown):
            if known_day == day and known_channel == channel:
                if at < first:
                    exposure.shown[number] = (day, channel, at)
                break
        else:
            exposure.shown = sorted([*exposure.shown, (day, channel, at)])
        session.widgets[widget] = None

        history = person.history
        session_id = event.session_id or ""
        products = event.products
        impression = Impression(
            at,
            event.event_id,
            widget,
            strategy,
            placement,
            session_id,
            channel,
            tuple([product.product_id for product in products]),
            tuple([NO_POSITION if product.position is None else product.position for product in products]),
        )
        history.add_impression(impression)
        person.changed = True
        if at <= history.last_act:
            self._shown_late(person, session, impression)
        if person.orders:
            self._orders.touched(person, at)

    def _shown_late(self, person: Person, session: Session, impression: Impression) -> None:
        """An impression came after interactions that it precedes in event time."""
        for act in person.history.re_anchor(impression, person.tenant.window):
            if act.kind == VIEWED and (
                act.session_id == impression.session_id
                if impression.session_id
                else not act.session_id
                and act.channel == impression.channel
                and act.at <= session.state.end  # of one span: nothing of it lies beyond its end
            ):
                self._see(session.state, session, impression.widget, act.widget)

    # -- clicks and carts ------------------------------------------------------------------------------------------

    def _interact(self, event: Any, at: int, person: Person, session: Session, kind: int) -> Act:
        history = person.history
        product = event.product_id
        widget = (event.widget_id or "") if kind != ADDED else ""
        anchor = history.anchor_of(product, at, widget, person.tenant.window)
        quantity = event.quantity if kind == ADDED else 0
        act = Act(at, kind, event.event_id, quantity, event.session_id or "", event.channel, widget, anchor)
        history.add_act(product, act)
        person.changed = True
        if person.orders:
            self._orders.touched(person, at)
        return act

    def clicked(self, event: ProductClicked, at: int, person: Person) -> None:
        """A product was clicked."""
        session = self._member(person, event, at, 2)
        session.state.counts[s.CLICKS] += 1
        self._interact(event, at, person, session, CLICKED)

    def viewed(self, event: DetailViewed, at: int, person: Person) -> None:
        """The details of a product were opened."""
        session = self._member(person, event, at, 2)
        state = session.state
        state.counts[s.DETAIL_VIEWS] += 1
        act = self._interact(event, at, person, session, VIEWED)
        if state.exposures:
            session_id, channel = act.session_id, act.channel
            for impression in person.history.impressions_of(event.product_id, state.start, at):
                if impression.session_id == session_id and (session_id or impression.channel == channel):
                    self._see(state, session, impression.widget, act.widget)

    def added(self, event: CartAdded, at: int, person: Person) -> None:
        """A quantity was put into the cart."""
        session = self._member(person, event, at, 3)
        session.state.counts[s.ADDS] += 1
        self._interact(event, at, person, session, ADDED)

    def removed(self, event: CartRemoved, at: int, person: Person) -> None:
        """A quantity was taken out of the cart."""
        self._member(person, event, at, 3).state.counts[s.REMOVES] += 1
        act = Act(at, REMOVED, event.event_id, event.quantity, "", "", "", None)
        person.history.add_act(event.product_id, act)
        person.changed = True
        if person.orders:
            self._orders.touched(person, at)

    def emptied(self, event: CartEmptied, at: int, person: Person) -> None:
        """The cart was emptied."""
        self._member(person, event, at, 3).state.counts[s.EMPTIES] += 1
        person.history.add_empty(at)
        person.changed = True
        if person.orders:
            self._orders.touched(person, at)


_COUNTED: Final[dict[type, int]] = {
    SessionStarted: s.STARTED,
    SessionEnded: s.ENDED,
    ActivitySeen: s.ACTIVITIES,
    SupportJoined: s.SUPPORTS,
    PersonIdentified: s.LOGINS,
}

HANDLERS: Final[dict[type, Handler]] = {
    **dict.fromkeys(_COUNTED, Browsing.count),
    MessageExchanged: Browsing.message,
    ExperienceServed: Browsing.experience,
    GoalReached: Browsing.goal,
    ProductsShown: Browsing.shown,
    ProductClicked: Browsing.clicked,
    DetailViewed: Browsing.viewed,
    CartAdded: Browsing.added,
    CartRemoved: Browsing.removed,
    CartEmptied: Browsing.emptied,
}
