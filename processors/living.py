"""The end of an epoch: what it has accepted and heard is lived through, in an order that gives each event to whom it
belongs before it is applied.

1. Customers say which devices are theirs; devices hear it, here and from other partitions.
2. Devices give their events to their owners: to customers of this partition, or of others.
3. Customers take what has come and give back what has gone, then live through their own events.
4. What other partitions hold of our orders is taken note of.
"""

from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any, Final

from processors.browsing import HANDLERS, Browsing, Handler
from processors.forwarding import Held, Link, Move, News, Shared
from processors.identity import Identity
from processors.notifications import Notifications
from processors.order_news import OrderNews
from processors.orderbook import OrderBook
from processors.people import People
from processors.person import Person, Tenant
from processors.waiting import Waiting
from schemas.events.journey import NotificationSent
from schemas.events.order import OrderCaptured

Parcel = tuple[int, News, int]
"""Partition, news, and the oldest watermark that what it comes of was judged by."""


class Living:
    """The people of one partition, and what happens to them."""

    def __init__(
        self,
        partition: int,
        tenants: Mapping[str, Tenant],
        people: People,
        browsing: Browsing,
        orders: OrderBook,
        news: OrderNews,
        notifications: Notifications,
        identity: Identity,
    ) -> None:
        self._partition = partition
        self._tenants = tenants
        self._people = people
        self._browsing = browsing
        self._orders = orders
        self._news = news
        self._notifications = notifications
        self._identity = identity

    def live(self, waiting: Waiting, clock: int) -> Iterator[Parcel]:
        """Live through the epoch. Yields what other partitions must hear of it."""
        identity = self._identity
        moves: list[tuple[Move, int]] = []
        held: list[Held] = []
        for news, bound in waiting.heard:
            match news:
                case Link():
                    identity.hear_link(news, bound)
                case Shared():
                    identity.shared(news, bound)
                case Move():
                    moves.append((news, bound))
                case Held():
                    held.append(news)
        self._look_for_links(waiting)
        for home, news, bound in identity.settle(waiting):
            if home != self._partition:
                yield home, news, bound
            elif isinstance(news, Move):
                moves.append((news, bound))
        for move, bound in moves:
            person, events = identity.move(move, clock)
            yield from self._apply(person, events, min(bound, waiting.watermark))
        for who, events in waiting.by_person.items():
            tenant = self._tenants[events[0].store_id]
            person = self._people.get(who) or self._people.load(who, tenant)
            if person.since:
                identity.keep_direct(person, events)
            yield from self._apply(person, events, waiting.bound_of(who))
        for one in held:
            self._news.held(one)

    def _look_for_links(self, waiting: Waiting) -> None:
        for who, events in waiting.by_person.items():
            if events[0].customer_id is None:
                continue  # all of a device's are
            links = [
                (event.anonymous_id, event.occurred_at) for event in events if event.anonymous_id is not None
            ]
            if links:
                person = self._people.get(who) or self._people.load(who, self._tenants[events[0].store_id])
                self._identity.linked(person, links, waiting.bound_of(who))
        for store_id, customer, device, at, bound in waiting.links:
            person = self._people.find(self._tenants[store_id], "c:" + customer)
            self._identity.linked(person, [(device, at)], bound)

    def _apply(self, person: Person, events: list[Any], bound: int) -> Iterator[Parcel]:
        """Let a person live through events, in the order of event time: any order gives the same rows, this one soonest.

        Topics are read one after the other: applied as they come, most impressions would come after the clicks that
        they led to, and each would look again at all of these.
        """
        tenant, shop = person.tenant, self._browsing
        self._people.dirty[person.key] = person
        if len(events) > 1:
            events.sort(key=_by_time)
        try:
            for event in events:
                handle = OF_PEOPLE[event.__class__]
                if handle is not None:
                    handle(shop, event, event.occurred_at, person)
                elif event.__class__ is NotificationSent:
                    self._notifications.sent(event, event.occurred_at, tenant, person.name)
                elif self._orders.captured(event, event.occurred_at, tenant, person):
                    for home, news in self._news.first_captured(tenant.store_id, event.order_id):
                        yield home, news, bound
        except Exception as error:
            # Of a whole epoch, whoever reads the line must know which event it was.
            error.add_note(f"{type(event).__name__} {event.event_id!r}")
            raise


OF_PEOPLE: Final[dict[type, Handler | None]] = {**HANDLERS, OrderCaptured: None, NotificationSent: None}
"""The events that are about a person. (A journey's others are not; cancels and refunds belong to their order.)"""
_by_time: Final = attrgetter("occurred_at")
