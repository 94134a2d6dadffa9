"""Direct and assisted credit of order lines by brute force over all the person's events (H70 to H75)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from schemas.stores import Store
from tests.oracle.model import Event
from tests.oracle.orders import Order

INTERACTIONS = ("clicked", "detail_viewed", "added")


@dataclass(frozen=True)
class Impression:
    """One product in one impression event."""

    event: Event
    product_id: str
    position: int | None

    @property
    def at(self) -> int:
        """Event time, ms."""
        return self.event.at


@dataclass(frozen=True)
class Touch:
    """What earned a line its credit: kind, time, product, and the impression whose widget gets it."""

    kind: str
    at: int
    product_id: str
    impression: Impression


@dataclass(frozen=True)
class LineCredit:
    """`credit` is direct, assisted or none; `added_at` the last add-to-cart of a direct line (A of H70)."""

    credit: str
    exposure_only: bool
    touch: Touch | None = None
    added_at: int = 0


@dataclass(frozen=True)
class OrderCredit:
    """The credit of each line, and whether an interaction lies in the window at all (H74)."""

    lines: tuple[LineCredit, ...]
    has_interaction: bool


def impressions_of(events: Sequence[Event], product_id: str | None = None) -> list[Impression]:
    """The single products of impression events; of one product only, if given."""
    return [
        Impression(event, shown.product_id, shown.position)
        for event in events
        for shown in event.products
        if product_id is None or shown.product_id == product_id
    ]


@dataclass(frozen=True)
class Past:
    """What a person did in a store, as credit looks at it; made once for all the person's orders."""

    carts: tuple[Event, ...]
    interactions: tuple[Event, ...]
    shown: dict[str, list[Impression]]
    """By product."""

    @classmethod
    def of(cls, events: Sequence[Event]) -> Self:
        """`events`: all accepted events of the person in the store."""
        shown: dict[str, list[Impression]] = {}
        for seen in impressions_of(events):
            shown.setdefault(seen.product_id, []).append(seen)
        return cls(
            tuple(event for event in events if event.topic == "cart"),
            tuple(event for event in events if event.type in INTERACTIONS),
            shown,
        )

    def shown_in(self, product_id: str, since: int, until: int) -> list[Impression]:
        """The product's impressions, both ends included."""
        return [seen for seen in self.shown.get(product_id, ()) if since <= seen.at <= until]


def credit_order(order: Order, past: Past, store: Store) -> OrderCredit:
    """`past`: of the order's person in the store."""
    at, window = order.first.at, store.attribution_window_ms
    interaction = _latest_interaction(past, at, window)
    credits = []
    for line in order.capture.lines:
        product = line.product_id
        direct = _direct(past, product, at, window)
        if direct:
            credits.append(direct)
            continue
        shown = past.shown_in(product, at - window, at)
        added = [
            event
            for event in past.carts
            if event.type == "added" and event.product_id == product and at - window <= event.at <= at
        ]
        exposure_only = bool(shown) and not added
        credits.append(LineCredit("assisted" if interaction else "none", exposure_only, interaction))
    return OrderCredit(tuple(credits), interaction is not None)


def _direct(past: Past, product_id: str, at: int, window: int) -> LineCredit | None:
    """H70 and H71: in the cart at the order, and shown before the last add."""
    steps = [
        event
        for event in past.carts
        if (event.type == "emptied" or event.product_id == product_id)
        and at - window <= event.at <= at
        # In the order's own millisecond the cart is emptied by the order, not before it.
        and (event.type == "added" or event.at < at)
    ]
    steps.sort(key=lambda event: (event.at, ("emptied", "removed", "added").index(event.type)))
    quantity = 0
    for step in steps:
        if step.type == "added":
            quantity += step.quantity
        elif step.type == "removed":
            quantity = max(0, quantity - step.quantity)
        else:
            quantity = 0
    if quantity == 0:
        return None
    added_at = max(step.at for step in steps if step.type == "added")
    anchor = latest(past.shown_in(product_id, at - window, added_at))
    if anchor is None:
        return None
    return LineCredit("direct", False, Touch("shown", anchor.at, product_id, anchor), added_at)


def latest(impressions: Sequence[Impression]) -> Impression | None:
    """The latest; ties: lower position (none is last), smaller widget_id, smaller event_id (H71)."""
    return min(
        impressions,
        key=lambda seen: (
            -seen.at,
            seen.position is None,
            seen.position or 0,
            seen.event.widget_id or "",
            seen.event.event_id,
        ),
        default=None,
    )


def _latest_interaction(past: Past, at: int, window: int) -> Touch | None:
    """H72 and H73: the latest click, detail view or add of a product that had been shown to the person."""
    found = []
    for event in past.interactions:
        if not at - window <= event.at <= at:
            continue
        shown = past.shown_in(event.product_id, event.at - window, event.at)
        if shown:
            found.append((event, shown))
    if not found:
        return None
    event, shown = min(
        found,
        key=lambda pair: (
            -pair[0].at,
            ("added", "detail_viewed", "clicked").index(pair[0].type),
            pair[0].product_id,
            pair[0].event_id,
        ),
    )
    own = [seen for seen in shown if seen.event.widget_id == event.widget_id]
    impression = latest(own or shown)
    assert impression
    return Touch(event.type, event.at, event.product_id, impression)
