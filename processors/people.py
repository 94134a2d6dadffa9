"""The people of one partition: their state in memory while they are busy, in the store when they are not.

State keys: `P` person -> touches that are not sealed, spans; `Q` person -> where sealed segments are, orders, open
questions; `T` person, number -> a sealed segment; `R` person, number -> links of devices (`remembered.py`); `S` person,
session -> a session; `B` person, session -> the session as it was when the person's journal began. A person is
`store|c:customer` or `store|a:device`, with its length before it, so that no id can run into the next part of a key.
"""

from typing import Final

import msgspec

from processors.links import Linked, person_key_bytes
from processors.person import Person, PersonPast, PersonState, Tenant, fresh_person
from processors.remembered import all_times, forget, put_aside
from processors.sealed import Sealed
from processors.sessions import Session, SessionState, fresh_session
from processors.touches import History
from schemas.epoch import StateReader, Stored
from schemas.topics import DAY_MS

SESSIONS_IN_MEMORY: Final = 64
HEADS_IN_MEMORY: Final = 2_000
HEAD_WEIGHT: Final = 30  # bytes a head takes, in those of what is stored
DEVICES_A_CUSTOMER: Final = 100
_HEAD: Final = (
    16  # bytes before a stored session: start and end with its orders, for a search that decodes few
)


class People:
    """Finds people and sessions; remembers which have changed.

    People are kept in two generations: whoever is seen moves to the young one, and when that holds `limit` bytes (as
    stored; about seven times that in memory) the old one is let go of. So memory does not grow with the shop, and
    costs nothing an event to bound. After an epoch no more than three times the limit stays.
    """

    def __init__(self, state: StateReader, limit: int) -> None:
        self._state = state
        self._limit = limit
        self._weight = 0
        # As of the last flush: no event of this epoch was judged by an older watermark, wherever it first arrived, so
        # nothing that one of them may ask for is forgotten before the epoch has been settled.
        self.floor = 0
        self._young: dict[str, Person] = {}
        self._old: dict[str, Person] = {}
        self.dirty: dict[bytes, Person] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, who: str) -> Person | None:
        """The person `store|c:customer` or `store|a:device`, if in memory; else `load` it."""
        person = self._young.get(who)
        if person is None and (person := self._old.pop(who, None)) is not None:
            self._young[who] = person
            self._weight += person.weight
        return person

    def _weigh(self, person: Person, more: int) -> None:
        person.weight += more
        self._weight += more

    def find(self, tenant: Tenant, name: str) -> Person:
        """The person `name` (`c:...` or `a:...`) of the store, loaded if need be."""
        who = f"{tenant.store_id}|{name}"
        return self.get(who) or self.load(who, tenant)

    def load(self, who: str, tenant: Tenant) -> Person:
        """A person that is not in memory."""
        key = person_key_bytes(who)
        stored = self._state.get(b"P" + key)
        state = _decode_person(stored) if stored is not None else fresh_person()
        # All of it has expired when it is not there any more.
        stored_past = self._state.get(b"Q" + key) if state.has_past else None
        past = _decode_past(stored_past) if stored_past is not None else PersonPast([], [], [])

        def load(number: int) -> Sealed:
            value = self._state.get(_segment_key(key, number))
            if value is None:
                raise LookupError(
                    f"segment {number} of a person is named in state but not stored: corrupt state"
                )
            # Nothing here may name the person: a cycle would keep whoever is let go of until a full collection.
            return Sealed.read(value)

        history = History(state.open, past.sealed, load)
        person = self._young[who] = Person(tenant, who[len(tenant.store_id) + 1 :], key, state, past, history)
        self._weigh(person, len(stored or b"") + len(stored_past or b""))
        self._forget(person)
        return person

    def _forget(self, person: Person) -> list[int]:
        """Drop what no event that is still in time can ask for. Returns numbers of segments to delete."""
        before = self.floor - person.tenant.retention - person.moves - DAY_MS
        if before <= 0:
            return []
        for channel, spans in list(person.spans.items()):
            if spans[0][1] < before:
                person.spans[channel] = kept = [span for span in spans if span[1] >= before]
                if not kept:
                    del person.spans[channel]
        # They ascend: nothing is looked at as long as the first is in time.
        if person.loose and person.loose[0].at < before:
            person.loose[:] = [loose for loose in person.loose if loose.at >= before]
        # Twice the lateness: a partition that was idle, and held nothing back, may wake up with old events.
        in_time = self.floor - 2 * person.tenant.lateness - person.moves
        if person.orders and person.orders[0][0] < in_time:
            person.orders[:] = [order for order in person.orders if order[0] >= in_time]
        return person.history.forget(before)

    # -- sessions --------------------------------------------------------------------------------------------------

    def session(self, person: Person, key: str) -> Session:
        """The session `key` of the person; a new one if there is none."""
        session = person.sessions.get(key)
        if session is None:
            stored = None
            if key not in person.withdrawn:
                stored = self._state.get(_session_key(person.key, key))
            if stored is not None:
                self._weigh(person, len(stored))
            state = _decode_session(stored[_HEAD:]) if stored is not None else fresh_session()
            session = person.sessions[key] = Session(key, state)
        return session

    def touch(self, person: Person, session: Session) -> None:
        """Say that the session has changed."""
        person.dirty_sessions[session.key] = session
        self.dirty[person.key] = person

    def sessions_around(self, person: Person, at: int) -> list[Session]:
        """Every session of the person that began at or before `at` and may still be open then."""
        longest = max(
            person.tenant.store.session_timeout_ms,
            *person.tenant.store.channel_session_timeout_ms.values(),
            0,
        )
        found = [session for session in person.sessions.values() if not session.is_empty]
        for name, (start, end) in self._heads_of(person).items():
            if (
                start <= at <= end + longest
                and name not in person.sessions
                and name not in person.withdrawn
                and not (session := self.session(person, name)).is_empty  # expired since
            ):
                found.append(session)
        return found

    def _heads_of(self, person: Person) -> dict[str, tuple[int, int]]:
        """Session key -> (start, end), of the sessions that are stored."""
        heads = person.heads
        if heads is None:
            prefix = _session_key(person.key, "")
            heads = {
                key[len(prefix) :].decode(): (
                    int.from_bytes(value[:8], "big"),
                    int.from_bytes(value[8:_HEAD], "big"),
                )
                for key, value in self._state.scan(prefix)
            }
            if len(heads) <= HEADS_IN_MEMORY:
                # Read once and kept up to date: each order that looks for a session would read all of them.
                person.heads = heads
                self._weigh(person, HEAD_WEIGHT * len(heads))
        return heads

    # -- what may be taken back ------------------------------------------------------------------------------------

    def begin_journal(self, person: Person, clock: int) -> None:
        """From this epoch on the person's events are journalled. The sessions so far stay as they are in `base`: their
        events will never be taken back. Before anything of the epoch is applied to the person."""
        prefix = _session_key(person.key, "")
        person.base = {key[len(prefix) :].decode(): value for key, value in self._state.scan(prefix)}
        person.since = clock
        person.changed = True

    def base_of(self, person: Person) -> dict[str, SessionState]:
        """Session key -> session as it was when the journal began, of those that were there."""
        base = person.base
        if base is None:
            prefix = _base_key(person.key, "")
            base = {key[len(prefix) :].decode(): value for key, value in self._state.scan(prefix)}
        return {key: _decode_session(value[_HEAD:]) for key, value in base.items()}

    def _write_base(self, person: Person, base: dict[str, bytes], into: dict[bytes, Stored | None]) -> None:
        for key, _ in self._state.scan(_base_key(person.key, "")):
            into[key] = None  # of a journal that had ended
        days = person.tenant.retention // DAY_MS + 2
        for name, value in base.items():
            end = int.from_bytes(value[8:_HEAD], "big")
            into[_base_key(person.key, name)] = Stored(end // DAY_MS + days, value)
        person.base = None

    def links_of(self, person: Person, linked: Linked) -> list[int]:
        """All links to a device of the person's that are remembered, in order of arrival (ms)."""
        return all_times(self._state, person.key, linked, self.floor - person.tenant.lateness)

    def _forget_links(self, person: Person, into: dict[bytes, Stored | None]) -> None:
        """Drop links between which no other customer's can come any more; end the journal when nothing can move."""
        settled = self.floor - person.tenant.lateness
        for linked in person.linked.values():
            forget(person.key, linked, settled, into)
        put_aside(person.key, person.linked, person.tenant.lateness, into)
        if len(person.linked) > DEVICES_A_CUSTOMER:
            # An account of everybody's. One that is let go of is told as new with its next link.
            idle = [
                device for device, linked in person.linked.items() if not linked.recent and not linked.aside
            ]
            for device in idle[: len(person.linked) - DEVICES_A_CUSTOMER]:
                del person.linked[device]
        if person.since and person.assigned < self.floor - person.tenant.journal:
            person.since = 0

    # -- the end of an epoch ---------------------------------------------------------------------------------------

    def write(self, person: Person, into: dict[bytes, Stored | None]) -> None:
        """Put the person's changed state into `into`. Rows have been made already."""
        who = f"{person.tenant.store_id}|{person.name}"
        self._young[who] = self._young.pop(who)  # among the last, see `_changed_last`
        history = person.history
        weight = 0
        session_days = person.tenant.retention // DAY_MS + 2
        retention_days = (person.tenant.retention + person.moves) // DAY_MS + 2
        for number in self._forget(person):
            into[_segment_key(person.key, number)] = None
        for number in history.changed:
            sealed = history.loaded[number]
            expires = sealed.decoded().highest // DAY_MS + retention_days
            into[_segment_key(person.key, number)] = Stored(expires, sealed.rewrite())
        history.changed.clear()
        if history.loaded:
            for sealed in history.loaded.values():
                sealed.rest()
            weight += history.weight
        last = max(history.open.highest, history.sealed[-1].bound if history.sealed else 0)
        heads = person.heads
        for key in person.withdrawn:
            into[_session_key(person.key, key)] = None
            if heads is not None:
                heads.pop(key, None)
        for key, session in person.dirty_sessions.items():
            if session.is_empty:
                into[_session_key(person.key, key)] = None
                person.sessions.pop(key, None)
                if heads is not None:
                    heads.pop(key, None)
                continue
            view = session.view  # refreshed when its row was made
            head = view.start.to_bytes(8, "big") + view.end.to_bytes(8, "big")
            expires = view.end // DAY_MS + session_days
            value = head + _encode(session.state)
            weight += len(value)
            into[_session_key(person.key, key)] = Stored(expires, value)
            if heads is not None:
                heads[key] = view.start, view.end
            last = max(last, view.end)
            session.widgets.clear()
            session.head = view.head
        if heads is not None and len(heads) > HEADS_IN_MEMORY:
            person.heads = None  # those that have expired go
            self._weigh(person, -HEAD_WEIGHT * len(heads))
        past_changed = person.past_changed or history.has_sealed
        if person.base is not None:
            self._write_base(person, person.base, into)
        if person.changed or past_changed:
            self._forget_links(person, into)
            if person.orders:
                last = max(last, person.orders[-1][0])
            if person.loose:
                last = max(last, person.loose[-1].at)
            for spans in person.spans.values():
                last = max(last, spans[-1][1])
            # Somebody whose own events are all journey nodes has nothing but links; and who has lost one, a journal.
            last = max(last, person.assigned, *[linked.latest for linked in person.linked.values()])
            expires = last // DAY_MS + retention_days
            if past_changed:
                past = PersonPast(history.sealed, person.orders, person.loose)
                value = _encode(past)
                weight += len(value)
                into[b"Q" + person.key] = Stored(expires, value)
                person.has_past, person.past_changed, history.has_sealed = True, False, False
            value = _encode(
                PersonState(
                    history.open, person.spans, person.has_past, person.linked, person.since, person.assigned
                )
            )
            weight += len(value)
            into[b"P" + person.key] = Stored(expires, value)
            person.changed = False
        many_sessions = len(person.sessions) > SESSIONS_IN_MEMORY
        if many_sessions:
            person.sessions = dict(person.dirty_sessions)
            weight += HEAD_WEIGHT * len(person.heads or ())
        if many_sessions or weight > person.weight:
            self._weigh(person, weight - person.weight)
        person.withdrawn.clear()
        person.renamed.clear()
        person.dirty_sessions.clear()

    def trim(self, floor: int) -> None:
        """The epoch is written, nobody is dirty: let go of people not seen for two rounds. `floor`: from now on."""
        self.floor = floor
        if self._weight > self._limit:
            # An epoch of a backlog may bring many times the limit. Kept until the next one, what each partition has of
            # them would make the worker's memory.
            self._old = self._young if self._weight <= 2 * self._limit else self._changed_last()
            self._young = {}
            self._weight = 0

    def _changed_last(self) -> dict[str, Person]:
        """Of the young generation, as many as the limit bears, without those who alone take more than is left of it."""
        kept: dict[str, Person] = {}
        left = self._limit
        for who, person in reversed(self._young.items()):
            if person.weight <= left:
                left -= person.weight
                kept[who] = person
        return kept


def _segment_key(person: bytes, number: int) -> bytes:
    return b"T" + person + number.to_bytes(4, "big")


def _session_key(person: bytes, session: str) -> bytes:
    return b"S" + person + session.encode()


def _base_key(person: bytes, session: str) -> bytes:
    return b"B" + person + session.encode()


_encode: Final = msgspec.msgpack.Encoder().encode
_decode_person: Final = msgspec.msgpack.Decoder(PersonState).decode
_decode_past: Final = msgspec.msgpack.Decoder(PersonPast).decode
_decode_session: Final = msgspec.msgpack.Decoder(SessionState).decode
