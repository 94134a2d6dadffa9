"""What an epoch has accepted waits for its end, and is then applied person by person, in the order of event time.

Any order gives the same rows; this one gives them soonest. Topics are read one after the other: applied as they come,
most impressions would come after the clicks that they led to, and each would look again at all of these.
"""

from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any, Final

from processors.browsing import HANDLERS, Browsing, Handler
from processors.order_news import OrderNews
from processors.orderbook import OrderBook
from processors.people import People, Tenant
from schemas.epoch import Outgoing
from schemas.events.order import OrderCaptured


class Waiting:
    """The events of one epoch, by whom they are about: `store|c:customer` or `store|a:device`."""

    def __init__(self, watermark: int) -> None:
        self.by_person: dict[str, list[Any]] = {}
        """Filled by the pipeline itself, since a call for each event would be dear; `occurred_at` is event time."""
        self.events = 0
        self.begin(watermark)

    def begin(self, watermark: int) -> None:
        """A new epoch: none of its events will be judged by an older watermark, unless another partition did."""
        self._watermark = watermark
        self._bounds: dict[str, int] = {}

    def bind(self, who: str, bound: int) -> None:
        """An event of theirs was forwarded to us, judged by this watermark."""
        self._bounds[who] = min(bound, self._bounds.get(who, bound))

    def apply(
        self,
        tenants: Mapping[str, Tenant],
        people: People,
        browsing: Browsing,
        orders: OrderBook,
        news: OrderNews,
    ) -> Iterator[tuple[list[Outgoing], int]]:
        """Let each person live through what has waited. Yields what other partitions must hear of it, with its bound."""
        for who, events in self.by_person.items():
            tenant = tenants[events[0].store_id]
            person = people.get(who) or people.load(who, tenant)
            people.dirty[person.key] = person
            if len(events) > 1:
                events.sort(key=_by_time)
            for event in events:
                handle = OF_PEOPLE[event.__class__]
                if handle is not None:
                    handle(browsing, event, event.occurred_at, person)
                elif orders.captured(event, event.occurred_at, tenant, person):
                    bound = min(self._watermark, self._bounds.get(who, self._watermark))
                    yield news.first_captured(tenant.store_id, event.order_id), bound
        self.by_person, self.events = {}, 0


OF_PEOPLE: Final[dict[type, Handler | None]] = {**HANDLERS, OrderCaptured: None}
"""The events that are about a person. (A journey's is only counted; cancels and refunds belong to their order.)"""
_by_time: Final = attrgetter("occurred_at")
