"""News of orders between partitions, in any order: how a cancel or a refund finds its order whoever it names, and how
an order that two persons have captured becomes one row (decisions H50, H51).

The partition of the key `<store>|order:<order id>` keeps every cancel and refund of the order, and knows its holders, the
partitions in which it was captured. When there are several it names them to each other, and they tell each other all that
they hold: so each knows the earliest capture, whose holder alone writes the row, and the highest version, whose lines it
has. Who stops writing says so after its last row: the version of the next one is higher then. Methods return what is to
be sent; what concerns this partition is done at once.
"""

from collections.abc import Mapping
from typing import Any

from processors.forwarding import Change, Held, Holder, Holders, News, OrderIndex
from processors.orderbook import CHANGES, OrderBook
from processors.person import Tenant
from schemas.events.clock import event_time
from schemas.events.decode import decode
from schemas.events.person import order_key
from schemas.partitioning import partition_of

Addressed = tuple[int, News]
"""Partition, and what it is to hear."""


class OrderNews:
    """The news of one partition."""

    def __init__(
        self,
        partition: int,
        partitions: int,
        index: OrderIndex,
        orders: OrderBook,
        tenants: Mapping[str, Tenant],
    ) -> None:
        self.index = index
        self._partition = partition
        self._partitions = partitions
        self._orders = orders
        self._tenants = tenants
        self._stores = {store_id: tenant.store for store_id, tenant in tenants.items()}

    def first_captured(self, store_id: str, order_id: str) -> list[Addressed]:
        """We hold an order that is new to us: say so to the order's own partition."""
        news = Holder(store_id, order_id, self._partition)
        home = partition_of(order_key(store_id, order_id).encode(), self._partitions)
        return self._noted(news) if home == self._partition else [(home, news)]

    def accepted(self, change: Change) -> list[Addressed]:
        """A cancel or refund has come to us, its order's own partition: keep it, and tell the holders."""
        return self._told(change, list(self.index.changed(change)))

    def heard(self, news: Holder | Change | Holders) -> list[Addressed]:
        """News from another partition. Again is harmless."""
        match news:
            case Holder():
                return self._noted(news)
            case Holders():
                self._meet(news)
                return []
            case Change():
                return self._told(news, [self._partition])

    def held(self, news: Held) -> None:
        """What another partition holds of an order of ours. At the end of an epoch: it may move orders between people."""
        self._orders.hear_held(news, self._tenants[news.store_id])

    def exchange(self) -> list[Addressed]:
        """What we hold, to those who hold it too. When the rows of the epoch are made, so after the last of ours."""
        sent: list[Addressed] = []
        for (store_id, order_id), _ in self._orders.untold.items():
            order = self._orders.get((store_id, order_id))
            ours = [capture for capture in order.captures if capture.holder == self._partition]
            news = Held(store_id, order_id, self._partition, ours, order.written)
            sent += [(peer, news) for peer in order.peers]
        self._orders.untold.clear()
        return sent

    def _noted(self, news: Holder) -> list[Addressed]:
        noted = self.index.held_by(news.store_id, news.order_id, news.partition)
        if noted is None:
            return []
        sent = [told for change in noted.changes for told in self._told(change, [news.partition])]
        if len(noted.holders) > 1:
            all_of_them = Holders(news.store_id, news.order_id, noted.holders)
            sent += [(holder, all_of_them) for holder in noted.holders if holder != self._partition]
            if self._partition in noted.holders:
                self._meet(all_of_them)
        return sent

    def _meet(self, news: Holders) -> None:
        key = news.store_id, news.order_id
        self._orders.meet(key, self._tenants[news.store_id], news.partitions)

    def _told(self, change: Change, holders: list[int]) -> list[Addressed]:
        if self._partition in holders:
            event: Any = decode("order", change.value, self._stores)
            tenant = self._tenants[change.store_id]
            CHANGES[event.__class__](self._orders, event, event_time(event, change.timestamp), tenant)
        return [(holder, change) for holder in holders if holder != self._partition]
