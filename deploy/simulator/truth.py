"""What the simulator knows to be true: counts, orders with their refunds and cancels, sessions, people.

Kept while records are sent, from the events as they were meant, so it shares nothing with the pipeline that reads
them. Credit of recommendations is not here: that takes a whole recomputation.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple, Self
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

ACCEPTED: Final = "accepted"
DUPLICATE: Final = "duplicate"
TEST_TRAFFIC: Final = "test_traffic"
DEAD_LETTER: Final = "dead_letter"
LATE_CANDIDATE: Final = "late_candidate"
"""Accepted or `too_late`: the watermark decides, which the simulator can't know."""

_ACTIVE_TYPES: Final = frozenset(
    ("activity", "clicked", "detail_viewed", "added", "removed", "emptied", "captured")
)
_SILENT_TYPES: Final = frozenset(("ended", "support_joined"))
_PRESENT, _ACTIVE = 1, 2


class Capture(NamedTuple):
    """One `captured` event: event time, its id, version, currency, total in minor units, pieces."""

    at_ms: int
    event_id: str
    version: int
    currency: str
    total: int
    units: int


class Refund(NamedTuple):
    """One `refunded` event; the amount as asked for, in minor units."""

    at_ms: int
    event_id: str
    refund_id: str
    amount: int


class OrderTruth(Struct, gc=False):
    """Everything that was sent about one order, repeats left out."""

    captures: list[Capture] = []
    refunds: list[Refund] = []
    cancels: list[int] = []


class OrderDay(Struct):
    """One store, date and currency; money in minor units, each amount on the day of its own event."""

    orders: int = 0
    units: int = 0
    revenue: int = 0
    canceled_orders: int = 0
    canceled_revenue: int = 0
    refunded_revenue: int = 0

    @property
    def net_revenue(self) -> int:
        """Captured minus canceled minus refunded."""
        return self.revenue - self.canceled_revenue - self.refunded_revenue


class SessionTruth(Struct, gc=False):
    """A session by its own id: event time of its first member, and what kinds of members it has."""

    start_ms: int
    flags: int = 0


class Truth(Struct):
    """The running account. `account` for every record sent; `summary` is what tests and the demo compare."""

    zones: dict[str, str]
    records: int = 0
    misrouted: int = 0
    buckets: dict[str, dict[str, int]] = {}
    """Topic -> bucket (`dead_letter:<reason>` for dead letters) -> records."""
    types: dict[str, dict[str, int]] = {}
    """Topic -> type -> accepted events."""
    by_store: dict[str, dict[str, int]] = {}
    """Store -> `<topic>/<type>` -> accepted events."""
    orders: dict[str, dict[str, OrderTruth]] = {}
    sessions: dict[str, dict[str, SessionTruth]] = {}
    """Store -> `<person> <session id>` -> session; person as `c:<customer_id>` or `a:<anonymous_id>`."""
    people: dict[str, set[str]] = {}
    defined: dict[str, dict[str, list[tuple[int, str]]]] = {}
    """Store -> `<kind>|<id>` -> (instant, status from then on; empty: none), in the order of the topic."""
    first_ms: int = 0
    last_ms: int = 0

    def account(self, topic: str, bucket: str, reason: str = "") -> None:
        """One more record of this topic went out and must land in this bucket."""
        self.records += 1
        counts = self.buckets.setdefault(topic, {})
        name = f"{bucket}:{reason}" if reason else bucket
        counts[name] = counts.get(name, 0) + 1

    def define(self, store: str, kind: str, id_: str, at_ms: int | None, status: str) -> None:
        """A definition went out; `at_ms` None: all of this id's are deleted."""
        things = self.defined.setdefault(store, {})
        if at_ms is None:
            things.pop(f"{kind}|{id_}", None)
        else:
            things.setdefault(f"{kind}|{id_}", []).append((at_ms, status))

    def standing(self, store: str, at_ms: int) -> dict[str, int]:
        """`<kind> <status>` -> how many things have this status at an instant."""
        counts: dict[str, int] = {}
        for thing, course in self.defined.get(store, {}).items():
            past = [(since, place, status) for place, (since, status) in enumerate(course) if since <= at_ms]
            if past and (status := max(past)[2]):
                name = f"{thing.partition('|')[0]} {status}"
                counts[name] = counts.get(name, 0) + 1
        return dict(sorted(counts.items()))

    def accept(self, topic: str, body: dict[str, Any], at_ms: int, note: tuple[Any, ...] | None) -> None:
        """A good event went out for the first time. `at_ms` is its event time."""
        self.account(topic, ACCEPTED)
        kind: str = body["type"]
        types = self.types.setdefault(topic, {})
        types[kind] = types.get(kind, 0) + 1
        if at_ms > self.last_ms:
            self.last_ms = at_ms
            self.first_ms = self.first_ms or at_ms
        elif at_ms < self.first_ms:
            self.first_ms = at_ms
        store: str = body["store_id"]
        counts = self.by_store.setdefault(store, {})
        name = f"{topic}/{kind}"
        counts[name] = counts.get(name, 0) + 1
        if note is not None and self._note(store, body, at_ms, note):
            return  # only the first capture of an order is a sign of its person
        known = body.get("customer_id")
        person = f"c:{known}" if known is not None else f"a:{body['anonymous_id']}"
        self.people.setdefault(store, set()).add(person)
        session_id = body.get("session_id")
        if session_id is not None:
            self._member(store, f"{person} {session_id}", kind, body, at_ms)

    def _note(self, store: str, body: dict[str, Any], at_ms: int, note: tuple[Any, ...]) -> bool:
        """Keep what is said of an order. True if it says nothing of a session."""
        order = self.orders.setdefault(store, {}).setdefault(note[1], OrderTruth())
        event_id = body["event_id"]
        if note[0] == "captured":
            version, currency, total, units = note[2:]
            order.captures.append(Capture(at_ms, event_id, version, currency, total, units))
            return len(order.captures) > 1 or note[2] > 1
        if note[0] == "refunded":
            order.refunds.append(Refund(at_ms, event_id, *note[2:]))
        else:
            order.cancels.append(at_ms)
        return True

    def _member(self, store: str, key: str, kind: str, body: dict[str, Any], at_ms: int) -> None:
        sessions = self.sessions.setdefault(store, {})
        session = sessions.get(key)
        if session is None:
            session = sessions[key] = SessionTruth(at_ms)
        elif at_ms < session.start_ms:
            session.start_ms = at_ms
        if kind in _ACTIVE_TYPES:
            session.flags = _PRESENT | _ACTIVE
        elif kind == "message":
            if body["direction"] == "in":
                session.flags = _PRESENT | _ACTIVE
        elif kind not in _SILENT_TYPES:
            session.flags |= _PRESENT

    def order_days(self) -> dict[tuple[str, str, str], OrderDay]:
        """(store, ISO date in its zone, currency) -> figures, refunds and cancels settled as decisions H50 to H61 say."""
        days: dict[tuple[str, str, str], OrderDay] = {}
        for store, orders in self.orders.items():
            zone = ZoneInfo(self.zones[store])
            for order in orders.values():
                for at_ms, currency, figures in settled(order):
                    day = days.setdefault((store, _date(at_ms, zone), currency), OrderDay())
                    for name, value in figures.items():
                        setattr(day, name, getattr(day, name) + value)
        return dict(sorted(days.items()))

    def bucket(self, bucket: str) -> int:
        """Records over all topics; `dead_letter` counts every reason."""
        return sum(
            count
            for counts in self.buckets.values()
            for name, count in counts.items()
            if name == bucket or name.startswith(bucket + ":")
        )

    def summary(self) -> dict[str, Any]:
        """Plain values for JSON: records, buckets, types, orders by day, sessions with an id by store and start day."""
        sessions = []
        for store, known in sorted(self.sessions.items()):
            zone = ZoneInfo(self.zones[store])
            by_day: dict[str, list[int]] = {}
            for session in known.values():
                row = by_day.setdefault(_date(session.start_ms, zone), [0, 0, 0])
                row[0] += 1
                row[1] += bool(session.flags & _PRESENT)
                row[2] += bool(session.flags & _ACTIVE)
            sessions += [
                {"store_id": store, "date": date, "with_id": row[0], "present": row[1], "active": row[2]}
                for date, row in sorted(by_day.items())
            ]
        return {
            "records": self.records,
            "accepted": self.bucket(ACCEPTED),
            "duplicate": self.bucket(DUPLICATE),
            "test_traffic": self.bucket(TEST_TRAFFIC),
            "dead_letter": self.bucket(DEAD_LETTER),
            "late_candidate": self.bucket(LATE_CANDIDATE),
            "misrouted": self.misrouted,
            "buckets": self.buckets,
            "types": self.types,
            "first_ms": self.first_ms,
            "last_ms": self.last_ms,
            "people": {store: len(people) for store, people in sorted(self.people.items())},
            "sessions": sessions,
            "standing": {store: self.standing(store, self.last_ms) for store in sorted(self.defined)},
            "order_days": [
                {"store_id": store, "date": date, "currency": currency, **msgspec.structs.asdict(day)}
                | {"net_revenue": day.net_revenue}
                for (store, date, currency), day in self.order_days().items()
            ],
        }

    def to_json(self) -> bytes:
        """`{"summary": ..., "account": ...}`: the first for readers, the second for `from_json` to go on from."""
        return msgspec.json.encode({"summary": self.summary(), "account": self}) + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Go on with an account that `to_json` wrote. Raises msgspec.ValidationError if it is something else."""
        return msgspec.convert(msgspec.json.decode(data)["account"], cls)


def settled(order: OrderTruth) -> Iterator[tuple[int, str, dict[str, int]]]:
    """What an order adds to which instant's day, in minor units of its currency."""
    if not order.captures:
        return  # a refund of an order nobody captured counts nowhere
    first = min(order.captures, key=lambda capture: (capture.at_ms, capture.event_id))
    last = min(order.captures, key=lambda capture: (-capture.version, capture.at_ms, capture.event_id))
    yield first.at_ms, last.currency, {"orders": 1, "units": last.units, "revenue": last.total}
    refunds: dict[str, Refund] = {}
    for refund in sorted(order.refunds):
        refunds.setdefault(refund.refund_id, refund)
    steps: list[tuple[int, int, str, int]] = [
        (refund.at_ms, 0, refund.refund_id, refund.amount) for refund in refunds.values()
    ]
    if order.cancels:
        steps.append((min(order.cancels), 1, "", 0))
    left = last.total
    for at_ms, is_cancel, _, amount in sorted(steps):
        taken = left if is_cancel else min(amount, left)
        left -= taken
        if is_cancel:
            yield at_ms, last.currency, {"canceled_orders": 1, "canceled_revenue": taken}
        else:
            yield at_ms, last.currency, {"refunded_revenue": taken}


def _date(at_ms: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at_ms // 1000, zone).date().isoformat()
