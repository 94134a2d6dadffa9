"""How a cancel or a refund finds its order whoever it names (decisions H51): news between partitions, in any order.

The partition of the key `<store>|order:<order id>` keeps every cancel and refund of the order, and knows its holders, the
partitions in which it was captured. Methods return what is to be sent; what concerns this partition is done at once.
"""

from collections.abc import Mapping
from typing import Any

from processors.forwarding import Change, Holder, Kind, OrderIndex, read_change, read_holder, tell
from processors.orderbook import CHANGES, OrderBook
from processors.people import Tenant
from schemas.epoch import Outgoing
from schemas.events.clock import event_time
from schemas.events.decode import decode
from schemas.events.person import order_key
from schemas.partitioning import partition_of


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

    def first_captured(self, store_id: str, order_id: str) -> list[Outgoing]:
        """We hold an order that is new to us: say so to the order's own partition."""
        news = Holder(store_id, order_id, self._partition)
        home = partition_of(order_key(store_id, order_id).encode(), self._partitions)
        return self._noted(news) if home == self._partition else [tell(news, home)]

    def accepted(self, change: Change) -> list[Outgoing]:
        """A cancel or refund has come to us, its order's own partition: keep it, and tell the holders."""
        return self._told(change, list(self.index.changed(change)))

    def heard(self, kind: Kind, value: bytes) -> list[Outgoing]:
        """News from another partition. Again is harmless."""
        if kind is Kind.HOLDER:
            return self._noted(read_holder(value))
        return self._told(read_change(value), [self._partition])

    def _noted(self, news: Holder) -> list[Outgoing]:
        known = list(self.index.held_by(news.store_id, news.order_id, news.partition))
        return [sent for change in known for sent in self._told(change, [news.partition])]

    def _told(self, change: Change, holders: list[int]) -> list[Outgoing]:
        if self._partition in holders:
            event: Any = decode("order", change.value, self._stores)
            tenant = self._tenants[change.store_id]
            CHANGES[event.__class__](self._orders, event, event_time(event, change.timestamp), tenant)
        return [tell(change, holder) for holder in holders if holder != self._partition]
