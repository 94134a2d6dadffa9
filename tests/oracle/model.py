"""An event of the contract as it was read: every field of every type, money in minor units, times in epoch ms."""

from dataclasses import dataclass

from tests.oracle.records import TOPICS


@dataclass(frozen=True, slots=True)
class Shown:
    """One product of an impression."""

    product_id: str
    position: int | None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a capture; money in minor units of the order's currency."""

    line_id: str
    product_id: str
    sku: str
    quantity: int
    unit_price: int
    discount: int


@dataclass(frozen=True, slots=True)
class Capture:
    """What a `captured` says of its order; money in minor units."""

    order_version: int
    currency: str
    lines: tuple[Line, ...]
    shipping: int
    tax: int
    total: int


@dataclass(frozen=True, slots=True)
class RefundLine:
    """A line of a refund; the amount in 10^-4 major units."""

    line_id: str | None
    product_id: str
    quantity: int
    amount_e4: int


@dataclass(frozen=True, slots=True)
class Event:
    """A valid event. `at` is its event time (H04), `record_ms` the record's timestamp. Fields of other types are None."""

    topic: str
    type: str
    event_id: str
    store_id: str
    at: int
    record_ms: int | None
    customer_id: str | None
    anonymous_id: str | None
    session_id: str | None
    channel: str
    is_test: bool
    device: str | None
    country: str | None
    direction: str = ""
    experience_id: str = ""
    """Of `experience_served`, and of a session's `goal_reached` that names one."""
    variant_id: str = ""
    test_id: str = ""
    goal_id: str = ""
    value: int | None = None
    """Of a goal, in minor units of `value_currency` (given, else the store's: H88); None if none was given."""
    value_currency: str = ""
    journey_id: str = ""
    execution_id: str = ""
    journey_version: str = ""
    node_type: str = ""
    communication_id: str = ""
    notification_channel: str = ""
    widget_id: str | None = None
    strategy: str | None = None
    placement: str | None = None
    products: tuple[Shown, ...] = ()
    product_id: str = ""
    quantity: int = 0
    order_id: str = ""
    capture: Capture | None = None
    refund_id: str = ""
    amount_e4: int = 0
    refund_lines: tuple[RefundLine, ...] | None = None
    owner: str = ""
    """The customer that an event of a device alone belongs to by the device's links (H21); empty if none."""

    @property
    def person(self) -> str:
        """Who did it: the customer, named or found by a link, else the device; empty if an order event names nobody."""
        if self.owner:
            return "c:" + self.owner
        if self.customer_id is not None:
            return "c:" + self.customer_id
        return "" if self.anonymous_id is None else "a:" + self.anonymous_id

    @property
    def rank(self) -> tuple[int, int, str]:
        """Order in time; ties by topic, then event_id (H31)."""
        return (self.at, TOPICS.index(self.topic), self.event_id)
