"""What a shop shows and sells: products with prices, widgets with ready-made shelves, experiences, goals, journeys."""

from random import Random
from typing import Any, Final, NamedTuple

import orjson

from deploy.simulator.scenario import StoreSpec
from deploy.simulator.wire import CURRENCIES

_SHELVES_PER_WIDGET: Final = 96


class Shelf(NamedTuple):
    """One filling of a widget: product numbers in the order shown, and the same as JSON, serialised once."""

    widget_id: str
    strategy: str | None
    placement: str | None
    products: tuple[int, ...]
    fragment: orjson.Fragment


class Experience(NamedTuple):
    """A personalization; `variants` and `test_id` only if it is being tested."""

    experience_id: str
    variants: tuple[str, ...]
    test_id: str | None


_WIDGETS: Final = (
    ("home-top", "trending", "home"),
    ("home-deals", None, "home"),
    ("product-similar", "similar", "product"),
    ("product-also", "also-bought", "product"),
    ("cart-cross", "cross-sell", "cart"),
    ("search-top", "personal", None),
)
_WHATSAPP_WIDGET: Final = ("wa-picks", "personal", "chat")

GOALS: Final = ("newsletter", "wishlist", "purchase", "quiz")
EXPERIENCES: Final = (
    Experience("hero-banner", ("a", "b"), "test-hero"),
    Experience("loyal-discount", (), None),
    Experience("local-stores", (), None),
    Experience("search-order", ("control", "v1", "v2"), "test-search"),
)


class Journey(NamedTuple):
    """A marketing journey: its notification channel, hours it waits, and how often it reaches its goal or its end."""

    journey_id: str
    version: int | str
    notification_channel: str
    wait_hours: float
    goal_share: float
    cancel_share: float


JOURNEYS: Final = (
    Journey("cart-reminder", 3, "whatsapp", 2.0, 0.20, 0.10),
    Journey("welcome", "2024-b", "email", 24.0, 0.10, 0.02),
    Journey("win-back", 1, "push", 70.0, 0.05, 0.15),
    Journey("review-request", 7, "sms", 48.0, 0.30, 0.05),
)


class Catalogue:
    """The goods of one store. Product numbers index `product_ids` and `cents`; low numbers are the popular ones."""

    def __init__(self, rng: Random, spec: StoreSpec) -> None:
        self.product_ids: Final = [f"p{number:04d}" for number in range(spec.products)]
        self.has_sku: Final = [rng.random() < 0.5 for _ in self.product_ids]
        # Prices in euro cents: many cheap things, few dear ones, usually ending in 9 or 0.
        self.cents: Final = [
            int(rng.lognormvariate(3.2, 0.8)) * 100 + rng.choice((99, 90, 50, 0, 49))
            for _ in self.product_ids
        ]
        self.shelves: Final = [
            self._shelf(rng, widget, lo=4, hi=12) for widget in _WIDGETS for _ in range(_SHELVES_PER_WIDGET)
        ]
        self.chat_shelves: Final = [
            self._shelf(rng, _WHATSAPP_WIDGET, lo=4, hi=6) for _ in range(_SHELVES_PER_WIDGET)
        ]

    def _shelf(self, rng: Random, widget: tuple[str, str | None, str | None], *, lo: int, hi: int) -> Shelf:
        widget_id, strategy, placement = widget
        count = rng.randint(lo, hi)
        products: list[int] = []
        while len(products) < count:
            product = self.popular(rng)
            if product not in products:
                products.append(product)
        numbered = rng.random() < 0.9  # some widgets don't know their positions
        shown: list[dict[str, Any]] = [
            {"product_id": self.product_ids[product], "position": index + 1}
            if numbered
            else {"product_id": self.product_ids[product]}
            for index, product in enumerate(products)
        ]
        return Shelf(widget_id, strategy, placement, tuple(products), orjson.Fragment(orjson.dumps(shown)))

    def popular(self, rng: Random) -> int:
        """A product number; low ones far more often than high ones."""
        return int(len(self.product_ids) * rng.random() ** 2)

    def price(self, product: int, currency: str) -> int:
        """The unit price in minor units of the currency."""
        return round(self.cents[product] * CURRENCIES[currency][1])
