"""The orders of one partition: captures, versions, cancels and refunds; and, at the end of an epoch, what they belong to.

State key: `O` store|order id. What an order needs from its person (session, credit) is worked out once an epoch, for the
orders that something has touched since: a late event costs its own work, not that of everything behind it.
"""

from bisect import bisect_left, insort
from collections.abc import Callable
from typing import Any, Final

import msgspec

from processors.attribution import assist_of, credit_of, exposed_by
from processors.forwarding import Held
from processors.orders import Capture, OrderState, capture_of, fresh_order, timely_versions
from processors.people import People
from processors.person import Loose, Person, Tenant
from processors.segments import by_time
from processors.sessions import ORDER_RANK, Described, MemberOrder, Session, View
from processors.settlement import Refund, RefundLine
from schemas.epoch import NEVER, StateReader, Stored
from schemas.events.order import OrderCanceled, OrderCaptured, OrderRefunded

OrderKey = tuple[str, str]  # store id, order id


class OrderBook:
    """Applies the events of the order topic, and settles what orders and people owe each other."""

    def __init__(self, partition: int, state: StateReader, people: People, limit: int) -> None:
        self._partition = partition
        self._state = state
        self._people = people
        self._limit = limit
        self._known: dict[OrderKey, OrderState] = {}
        self.dirty: dict[OrderKey, Tenant] = {}
        self.untold: dict[OrderKey, Tenant] = {}
        """Orders that other partitions hold too, and must hear of: what we hold of them has changed."""
        self._recredit: dict[OrderKey, Tenant] = {}

    def get(self, key: OrderKey) -> OrderState:
        """The order, loaded if need be; an empty one if nothing is known of it."""
        order = self._known.get(key)
        if order is None:
            stored = self._state.get(_state_key(key))
            order = self._known[key] = _decode(stored) if stored is not None else fresh_order()
        return order

    def touched(self, person: Person, at: int) -> None:
        """A touch of the person at `at` came: the orders at or after it may earn something else."""
        for captured_at, order_id in reversed(person.orders):
            if captured_at < at:
                return
            self._recredit[person.tenant.store_id, order_id] = person.tenant

    def renew(self, key: OrderKey, tenant: Tenant) -> None:
        """The row is to be written again, though nothing has happened to the order."""
        self.dirty[key] = tenant

    # -- events ----------------------------------------------------------------------------------------------------

    def captured(self, event: OrderCaptured, at: int, tenant: Tenant, person: Person) -> bool:
        """An order, or another version of it. True: nobody of this partition had captured it."""
        key = tenant.store_id, event.order_id
        order = self.get(key)
        is_new = not any(capture.holder == self._partition for capture in order.captures)
        order.captures.append(capture_of(event, at, self._partition, person.name))
        self._recaptured(key, tenant, order)
        return is_new

    def uncaptured(self, event: OrderCaptured, tenant: Tenant, person: Person) -> None:
        """Undo `captured`: the event is somebody else's."""
        key = tenant.store_id, event.order_id
        order = self.get(key)
        order.captures = [
            capture
            for capture in order.captures
            if (capture.event_id, capture.person, capture.holder)
            != (event.event_id, person.name, self._partition)
        ]
        self._recaptured(key, tenant, order)

    def _recaptured(self, key: OrderKey, tenant: Tenant, order: OrderState) -> None:
        """Its captures have changed: it may be of somebody else now."""
        self.dirty[key] = tenant
        if order.peers:
            self.untold[key] = tenant
        self._elect(key, tenant, order)

    def _elect(self, key: OrderKey, tenant: Tenant, order: OrderState) -> None:
        first = order.first
        mine = first if first is not None and first.holder == self._partition else None
        if order.entered != ((mine.person, mine.event_id) if mine else ("", "")):
            self._release(tenant, key[1], order)
            if mine is not None:
                self._enter(self._people.find(tenant, mine.person), key[1], order, mine)
        if mine is not None:
            # Older orders are settled: touches may be forgotten, and no version in time for them is accepted any more.
            moves = tenant.window if mine.person[0] == "c" else 0
            if mine.at >= self._people.floor - 2 * tenant.lateness - moves:
                self._recredit[key] = tenant

    # -- what other partitions hold of it ---------------------------------------------------------------------------

    def meet(self, key: OrderKey, tenant: Tenant, holders: list[int]) -> None:
        """These partitions hold the order, we among them."""
        order = self.get(key)
        peers = sorted({*order.peers, *holders} - {self._partition})
        if peers != order.peers:
            order.peers = peers
            self.dirty[key] = self.untold[key] = tenant

    def hear_held(self, news: Held, tenant: Tenant) -> None:
        """All that another partition holds of the order now."""
        key = news.store_id, news.order_id
        order = self.get(key)
        self.meet(key, tenant, [news.holder])
        was_ours = bool(order.entered[0])
        order.captures = [capture for capture in order.captures if capture.holder != news.holder]
        order.captures += news.captures
        self._elect(key, tenant, order)
        # Also when nothing has changed: our row must have a higher version than whatever they have written.
        self.dirty[key] = tenant
        if was_ours != bool(order.entered[0]):
            # Who stops must be outdone by the next writer; who begins must say where all others' rows are in the way.
            self.untold[key] = tenant
        if news.born:
            self._settle_day(key, tenant, order, news)

    def _settle_day(self, key: OrderKey, tenant: Tenant, order: OrderState, news: Held) -> None:
        """Another partition has a row of the order. Rows under different days would both be seen: the writer's stays."""
        first = order.first
        if order.entered[0]:
            if not order.written:
                order.born = news.born
            elif news.born != order.written:
                self.untold[key] = tenant
        elif first is not None and first.holder == news.holder:
            order.born = news.born
            if order.written and order.written != news.born:
                order.retired, order.written = order.written, 0
                self.untold[key] = tenant

    def canceled(self, event: OrderCanceled, at: int, tenant: Tenant) -> None:
        """An order was canceled; the earliest cancel counts (H56)."""
        key = tenant.store_id, event.order_id
        order = self.get(key)
        self.dirty[key] = tenant
        mine = (at, event.event_id)
        if order.canceled is None or mine < order.canceled:
            order.canceled = mine

    def refunded(self, event: OrderRefunded, at: int, tenant: Tenant) -> None:
        """A refund; of the same one the earliest counts (H54)."""
        key = tenant.store_id, event.order_id
        order = self.get(key)
        self.dirty[key] = tenant
        held = order.refunds.get(event.refund_id)
        if held is None or (at, event.event_id) < (held.at, held.event_id):
            lines = event.lines
            order.refunds[event.refund_id] = Refund(
                event.refund_id,
                at,
                event.event_id,
                event.amount_e4,
                None
                if lines is None
                else [RefundLine(line.line_id or "", line.product_id, line.amount_e4) for line in lines],
            )

    # -- whose order it is, and of which session -------------------------------------------------------------------

    def _enter(self, person: Person, order_id: str, order: OrderState, first: Capture) -> None:
        """Make the order a member of the session it names, or a loose one that looks for a session."""
        order.entered = person.name, first.event_id
        insort(person.orders, (first.at, order_id))
        person.past_changed = True
        self._people.dirty[person.key] = person
        if first.session_id:
            order.session_key = "s:" + first.session_id
            session = self._people.session(person, order.session_key)
            mark = Described(first.at, ORDER_RANK, first.event_id, first.channel)
            session.state.orders[order_id] = MemberOrder(mark, first.device, first.country)
            self._people.touch(person, session)
        else:
            order.session_key = ""
            loose = Loose(order_id, first.at, first.channel, "", 0)
            insort(person.loose, loose, key=by_time)
            self._find_session(person, loose)

    def _release(self, tenant: Tenant, order_id: str, order: OrderState) -> None:
        """Undo `_enter`: an earlier capture has come, or this one has gone."""
        if not order.entered[0]:
            return
        person = self._people.find(tenant, order.entered[0])
        self._people.dirty[person.key] = person
        person.past_changed = person.unsettled = True
        person.orders[:] = [entry for entry in person.orders if entry[1] != order_id]
        key = person.current_key(order.session_key)
        if key:
            session = self._people.session(person, key)
            session.state.orders.pop(order_id, None)
            session.state.joined.pop(order_id, None)
            self._people.touch(person, session)
        person.loose[:] = [loose for loose in person.loose if loose.order_id != order_id]
        order.credits, order.assist, order.exposed = {}, None, []
        order.entered, order.session_key = ("", ""), ""

    def _find_session(self, person: Person, loose: Loose) -> None:
        """Let a loose order join the latest-starting session open at its time, of its channel (H36)."""
        best: tuple[int, int, str] | None = None
        for session in self._people.sessions_around(person, loose.at):
            rank = _rank(person, session, View(session.state), loose)
            if rank is not None and (best is None or rank < best):
                best = rank
        self._join(person, loose, best)

    def _join(self, person: Person, loose: Loose, rank: tuple[int, int, str] | None) -> None:
        store_id = person.tenant.store_id
        key, start = (rank[2], -rank[0]) if rank is not None else ("", 0)
        old = person.current_key(loose.key)
        if old and old != key:
            session = self._people.session(person, old)
            session.state.joined.pop(loose.order_id, None)
            self._people.touch(person, session)
        if key:
            session = self._people.session(person, key)
            if loose.order_id not in session.state.joined:
                session.state.joined[loose.order_id] = loose.at
                self._people.touch(person, session)
        if (loose.key, loose.start) != (key, start):
            loose.key, loose.start = key, start
            person.past_changed = True
        order = self.get((store_id, loose.order_id))
        if order.session_key != key:
            order.session_key = key
            self.dirty[store_id, loose.order_id] = person.tenant

    def settle_sessions(self, person: Person) -> None:
        """Judge the person's loose orders again by the sessions that have changed in this epoch.

        Joining moves no session's span, so one round is enough.
        """
        if not person.loose or not (person.dirty_sessions or person.renamed or person.unsettled):
            return
        changed = [(session, View(session.state)) for session in person.dirty_sessions.values()]
        waiting = person.loose
        if not person.renamed and not person.unsettled:
            # Starts only move back then, so these sessions say nothing new of orders before the first of them.
            since = min([view.start for _, view in changed])
            waiting = waiting[bisect_left(waiting, since, key=by_time) :]
        person.unsettled = False
        for loose in waiting:
            again = loose.key in person.renamed
            challenger: tuple[int, int, str] | None = None
            for session, view in changed:
                rank = _rank(person, session, view, loose)
                if session.key == loose.key:
                    # Made again in this epoch, it may stand under the old key without its orders.
                    is_out = loose.order_id not in session.state.joined
                    again = again or is_out or rank is None or -rank[0] != loose.start
                elif rank is not None and (challenger is None or rank < challenger):
                    challenger = rank
            if again:
                self._find_session(person, loose)
            elif challenger is not None and (not loose.key or challenger < _rank_of(loose)):
                self._join(person, loose, challenger)

    # -- credit ----------------------------------------------------------------------------------------------------

    def settle_credit(self) -> None:
        """Work out again the credit of the orders that late touches or new versions have put in question."""
        for key, tenant in self._recredit.items():
            order = self.get(key)
            first = order.first
            if first is None or not order.entered[0]:
                continue  # it has gone to somebody of another partition
            person = self._people.find(tenant, order.entered[0])
            # What was decoded of them rests again at their write.
            self._people.dirty[person.key] = person
            history, at, window = person.history, first.at, tenant.window
            timely = timely_versions(order, tenant.lateness)
            products = sorted({line.product for version in timely for line in version.lines})
            order.credits = {product: credit_of(history, product, at, window) for product in products}
            order.assist = assist_of(history, at, window)
            # A made session that got another key has put its orders in question again: the pairs are those of today.
            exposed: set[tuple[str, str]] = set()
            for product in sorted({line.product for line in timely[0].lines}):
                credit = order.credits[product]
                if credit.direct:
                    exposed.update(
                        exposed_by(history, product, at - window, credit.until, person.session_key_of)
                    )
            order.exposed = sorted(exposed)
            self.dirty[key] = tenant
        self._recredit.clear()

    # -- the end of an epoch ---------------------------------------------------------------------------------------

    def write(self, into: dict[bytes, Stored | None]) -> None:
        """Put the changed orders' state into `into`. Rows have been made already."""
        for key in self.dirty:
            into[_state_key(key)] = Stored(NEVER, _encode(self._known[key]))
        self.dirty.clear()

    def trim(self) -> None:
        """Let go of orders. Only after a flush: none is dirty then."""
        if len(self._known) > self._limit:
            self._known.clear()


def _rank(person: Person, session: Session, view: View, loose: Loose) -> tuple[int, int, str] | None:
    """How good a session is for a loose order, least is best; None: it was not open then. `view`: of the session now."""
    if session.is_empty or view.channel != loose.channel or not view.start <= loose.at:
        return None
    if loose.at > view.end + person.tenant.store.timeout(view.channel):
        return None
    return -view.start, int(session.key[0] != "s"), session.key


def _rank_of(loose: Loose) -> tuple[int, int, str]:
    return -loose.start, int(loose.key[0] != "s"), loose.key


def _state_key(key: OrderKey) -> bytes:
    return b"O" + key[0].encode() + b"|" + key[1].encode()


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(OrderState).decode

CHANGES: Final[dict[type, Callable[[OrderBook, Any, int, Tenant], None]]] = {
    OrderCanceled: OrderBook.canceled,
    OrderRefunded: OrderBook.refunded,
}
"""What applies to an order by its id alone."""
