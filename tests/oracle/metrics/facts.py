"""What metrics are counted from: sessions, purchases, goals, executions, communications, definitions of a store."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from schemas.stores import Store
from tests.oracle.credit import LineCredit, Past, credit_order
from tests.oracle.definitions import Definition
from tests.oracle.identity import resolve
from tests.oracle.model import Event, Line
from tests.oracle.orders import Adjustment, Order, lines_paid, orders_of, settle
from tests.oracle.reporting import NO_RATES, Rates, Reported, reported
from tests.oracle.sessions import Session, sessions_of


@dataclass(frozen=True)
class PaidLine:
    """A line of an order: what was paid for it, its credit, and what each adjustment took back of it."""

    line: Line
    paid: int
    credit: LineCredit
    taken: tuple[int, ...]


@dataclass(frozen=True)
class Purchase:
    """An order with everything that hangs on it. Money in minor units of `currency`, times in epoch ms."""

    order: Order
    session: Session | None
    lines: tuple[PaidLine, ...]
    has_interaction: bool
    adjustments: tuple[Adjustment, ...]
    reported: Reported

    @property
    def order_id(self) -> str:
        """Unique in the store."""
        return self.order.first.order_id

    @property
    def at(self) -> int:
        """When it was first captured (H50)."""
        return self.order.first.at

    @property
    def person(self) -> str:
        """Of the earliest capture."""
        return self.order.first.person

    @property
    def channel(self) -> str:
        """Of the earliest capture (H39)."""
        return self.order.first.channel

    @property
    def currency(self) -> str:
        """Of the highest version."""
        return self.order.capture.currency

    @property
    def total(self) -> int:
        """After discounts, with shipping and tax."""
        return self.order.capture.total

    @property
    def quantity(self) -> int:
        """Units over all lines."""
        return sum(line.line.quantity for line in self.lines)

    @property
    def direct_lines(self) -> list[PaidLine]:
        """Lines earned by an impression."""
        return [line for line in self.lines if line.credit.credit == "direct"]


@dataclass(frozen=True)
class Goal:
    """A goal conversion of a session. `experiences`: those it is attributed to (H86), none: not in M7 and M10."""

    event: Event
    session: Session
    experiences: tuple[str, ...]
    currency: str
    value: int | None


@dataclass(frozen=True)
class Execution:
    """A journey execution: all its events, by time and event id."""

    execution_id: str
    events: tuple[Event, ...]

    @property
    def started(self) -> Event | None:
        """The earliest `started`, if any (H91)."""
        return next((event for event in self.events if event.type == "started"), None)

    @property
    def head(self) -> Event:
        """What says channel and journey: `started`, else the earliest event (H39)."""
        return self.started or self.events[0]

    @property
    def terminal(self) -> Event | None:
        """The earliest terminal node; at one instant `end` before `cancel` (H91)."""
        nodes = [event for event in self.events if event.node_type in ("end", "cancel")]
        return min(nodes, key=lambda event: (event.at, event.node_type != "end"), default=None)

    @property
    def has_goal(self) -> bool:
        """A goal at any time, also after the end (H91)."""
        return any(event.type == "goal_reached" for event in self.events)


@dataclass
class StoreFacts:
    """Everything of one store. `sends`: all messages; `communications`: the earliest send of each (H90)."""

    store: Store
    sessions: list[Session] = field(default_factory=list)
    purchases: list[Purchase] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)
    sends: list[Event] = field(default_factory=list)
    communications: list[Event] = field(default_factory=list)
    definitions: list[Definition] = field(default_factory=list)


def facts_of(
    events: Sequence[Event],
    stores: Mapping[str, Store],
    definitions: Iterable[Definition] = (),
    rates: Rates = NO_RATES,
) -> dict[str, StoreFacts]:
    """Store id -> its facts. `events`: all that were accepted, as they were read; identity is found here."""
    resolved = resolve(events, stores)
    facts = {store_id: StoreFacts(store) for store_id, store in stores.items()}
    for store_id, found in facts.items():
        ours = [event for event in resolved if event.store_id == store_id]
        orders = orders_of(ours)
        found.sessions = sessions_of(ours, orders, stores)
        found.purchases = _purchases(ours, orders, found.sessions, found.store, rates)
        found.goals = _goals(found.sessions, found.purchases)
        found.executions = _executions(ours)
        found.sends = [event for event in ours if event.type == "notification_sent"]
        found.communications = _communications(found.sends)
    for definition in definitions:
        facts[definition.store_id].definitions.append(definition)
    return facts


def _purchases(
    events: Sequence[Event],
    orders: Sequence[Order],
    sessions: Sequence[Session],
    store: Store,
    rates: Rates,
) -> list[Purchase]:
    by_person: dict[str, list[Event]] = {}
    for event in events:
        by_person.setdefault(event.person, []).append(event)
    session_of = {
        event.order_id: session
        for session in sessions
        for event in (*session.of("captured"), *session.joined)
    }
    pasts: dict[str, Past] = {}
    purchases = []
    for order in orders:
        person = order.first.person
        if person not in pasts:
            pasts[person] = Past.of(by_person[person])
        credit = credit_order(order, pasts[person], store)
        paid = lines_paid(order.capture, store)
        adjustments = tuple(settle(order, paid))
        lines = tuple(
            PaidLine(line, paid[index], credit.lines[index], tuple(step.lines[index] for step in adjustments))
            for index, line in enumerate(order.capture.lines)
        )
        session = session_of.get(order.first.order_id)
        told = reported(order, paid, adjustments, store, rates)
        purchases.append(Purchase(order, session, lines, credit.has_interaction, adjustments, told))
    return purchases


def _goals(sessions: Sequence[Session], purchases: Sequence[Purchase]) -> list[Goal]:
    """H86: the experience the goal names, else all that were served in its session at or before it."""
    bought: dict[tuple[str, str, str], list[Purchase]] = {}
    for purchase in purchases:
        if purchase.session is not None:
            bought.setdefault(purchase.session.identity, []).append(purchase)
    goals = []
    for session in sessions:
        for event in session.of("goal_reached"):
            if event.experience_id:
                experiences = [event.experience_id]
            else:
                served = session.of("experience_served")
                experiences = sorted({other.experience_id for other in served if other.at <= event.at})
            currency, value = event.value_currency, event.value
            near = bought.get(session.identity, [])
            if value is None and event.goal_id == "purchase" and near:
                # H87: the session's order closest in time; ties: the earlier, then the smaller id.
                closest = min(near, key=lambda order: (abs(order.at - event.at), order.at, order.order_id))
                currency, value = closest.currency, closest.total
            goals.append(Goal(event, session, tuple(experiences), currency, value))
    return goals


def _executions(events: Sequence[Event]) -> list[Execution]:
    found: dict[str, list[Event]] = {}
    for event in events:
        if event.topic == "journey-node":
            found.setdefault(event.execution_id, []).append(event)
    return [
        Execution(execution_id, tuple(sorted(seen, key=lambda event: (event.at, event.event_id))))
        for execution_id, seen in found.items()
    ]


def _communications(sends: Sequence[Event]) -> list[Event]:
    found: dict[str, list[Event]] = {}
    for event in sends:
        found.setdefault(event.communication_id, []).append(event)
    return [min(same, key=lambda event: (event.at, event.event_id)) for same in found.values()]
