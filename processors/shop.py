"""What one partition knows of its stores' people, devices, orders and journeys, and how an epoch changes it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from processors.browsing import Browsing
from processors.flush import Flush
from processors.forwarding import (
    Change,
    Holder,
    Holders,
    Kind,
    News,
    OrderIndex,
    read_news,
    tell,
)
from processors.identity import Identity
from processors.journal import Journal
from processors.journeys import Journeys
from processors.links import Devices
from processors.living import Living
from processors.notifications import Notifications
from processors.order_news import OrderNews
from processors.orderbook import OrderBook
from processors.people import People
from processors.person import Tenant
from processors.progress import Progress
from processors.rate_book import RateBook
from processors.taking_back import TakingBack
from processors.waiting import Waiting
from processors.windows import Windows
from schemas.epoch import StateReader
from schemas.events.journey import NotificationSent

PEOPLE_BYTES_IN_MEMORY: Final = 2_500_000  # a generation of people, a partition, as stored
ORDERS_IN_MEMORY: Final = 500
EXECUTIONS_IN_MEMORY: Final = 500


class Shop:
    """The state of one partition, but for what is about records rather than about shops."""

    def __init__(
        self,
        partition: int,
        partitions: int,
        state: StateReader,
        tenants: Mapping[str, Tenant],
        progress: Progress,
        *,
        watermark: int,
        floor: int,
    ) -> None:
        self._tenants = tenants
        self._progress = progress
        self.people = People(state, PEOPLE_BYTES_IN_MEMORY)
        self.people.floor = floor
        self._rates = RateBook(state, tenants)
        self._orders = OrderBook(partition, state, self.people, ORDERS_IN_MEMORY)
        browsing = Browsing(self.people, self._orders)
        self._news = OrderNews(partition, partitions, OrderIndex(state), self._orders, tenants)
        self._journeys = Journeys(state, EXECUTIONS_IN_MEMORY)
        self._notifications = Notifications()
        self._identity = Identity(
            partition,
            partitions,
            tenants,
            self.people,
            Devices(state),
            Journal(state),
            TakingBack(self.people, browsing, self._orders),
            self._notifications,
        )
        self._living = Living(
            partition,
            tenants,
            self.people,
            browsing,
            self._orders,
            self._news,
            self._notifications,
            self._identity,
        )
        self.windows = Windows(state)
        self.waiting = Waiting(watermark)

    # -- what comes in ---------------------------------------------------------------------------------------------

    def change(self, change: Change, bound: int) -> None:
        """A cancel or refund of an order whose own partition this is."""
        self._tell(self._news.accepted(change), bound)

    def follow(self, event: Any, who: str, bound: int) -> None:
        """An event of the journey-node topic, about the person `who`. `bound`: the watermark it was judged by."""
        tenant = self._tenants[event.store_id]
        self._journeys.take(event, event.occurred_at, tenant)
        if event.customer_id is not None and event.anonymous_id is not None:
            self.waiting.links.append(
                (event.store_id, event.customer_id, event.anonymous_id, event.occurred_at, bound)
            )
        if event.__class__ is NotificationSent:
            # Whose device it went to is known at the end of the epoch.
            self.waiting.by_person.setdefault(who, []).append(event)
            self.waiting.bind(who, bound)

    def hear(self, kind: Kind, value: bytes, bound: int) -> None:
        """News from another partition."""
        match read_news(kind, value):
            case Holder() | Change() | Holders() as news:
                self._tell(self._news.heard(news), bound)
            case news:
                self.waiting.heard.append((news, bound))

    # -- the end of an epoch ---------------------------------------------------------------------------------------

    @property
    def pending(self) -> int:
        """About how many bytes the epoch will hold: a person's state and rows are about a kilobyte."""
        people, events, orders = len(self.waiting.by_person), self.waiting.events, len(self._orders.dirty)
        small = len(self.windows.cells.dirty) + 2 * (
            len(self._journeys.dirty) + len(self._notifications.dirty)
        )
        return 1_500 * people + 200 * events + 700 * orders + 150 * small + 5_000 * len(self.waiting.heard)

    @property
    def has_due(self) -> bool:
        """There is something to write though nothing came."""
        return self._rates.has_due

    def live(self, flush: Flush, clock: int) -> None:
        """Live through the epoch, and write what has changed."""
        for home, news, bound in self._living.live(self.waiting, clock):
            self._progress.send([tell(news, home)], bound)
        for store_id, order_id in self._rates.due():
            self._orders.renew((store_id, order_id), self._tenants[store_id])
        flush.orders(self._orders, self._news.index, self.people, self._rates)
        # After the last of our rows: what the others write then has a higher version.
        bounds = [self.waiting.watermark, *self.waiting.bounds.values()]
        self._tell(self._news.exchange(), min([*bounds, *[bound for _, bound in self.waiting.heard]]))
        flush.people(self.people)
        flush.journeys(self._journeys, self._notifications)
        flush.identity(self._identity)

    def end(self, watermark: int, floor: int) -> None:
        """The epoch is written; the next one begins."""
        self.windows.end_epoch()
        self.waiting.begin(watermark)
        self.people.trim(floor)
        self._orders.trim()

    def _tell(self, sent: Sequence[tuple[int, News]], bound: int) -> None:
        for home, news in sent:
            self._progress.send([tell(news, home)], bound)
