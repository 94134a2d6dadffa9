"""One store while it is being simulated: its people and what they remember, its ids, and the trail a visit leaves."""

from random import Random
from typing import Any, Final

import orjson

from deploy.simulator.catalogue import Catalogue
from deploy.simulator.scenario import HOUR_MS, Habits, Scenario, StoreSpec
from deploy.simulator.wire import Clock, Draft

_DEVICES: Final = (("mobile", 60), ("desktop", 30), ("tablet", 10))
_PLACES: Final = (
    ("ES", "es-ES"),
    ("DE", "de-DE"),
    ("US", "en-US"),
    ("JP", "ja-JP"),
    ("KW", "ar-KW"),
    ("BR", "pt-BR"),
)
# One customer id in so many is not ASCII: keys are UTF-8 bytes, and hashing characters instead would misroute.
_NOT_ASCII_EVERY: Final = 97


class Person:
    """Someone who shops: how events name them, what is in the cart, what they remember of earlier visits."""

    __slots__ = (
        "both_ids",
        "cart",
        "clock",
        "context",
        "customer_id",
        "device_id",
        "key",
        "money_as_text",
        "wishes",
    )

    def __init__(
        self, shop: "Shop", number: int, *, known: bool, clock: Clock, context: orjson.Fragment | None
    ) -> None:
        rng = shop.rng
        self.device_id = f"d-{number:05d}{rng.getrandbits(20):05x}"
        self.customer_id: str | None = shop.customer_id(number) if known else None
        self.both_ids = rng.random() < 0.7
        self.money_as_text = rng.random() < 0.4
        self.clock = clock
        self.context = context
        self.cart: dict[int, int] = {}
        self.wishes: list[int] = []
        self.key = shop.key(self.customer_id or self.device_id)

    def ids(self) -> dict[str, str]:
        """The person's members of the envelope. A guest who logged in carries both from then on."""
        if self.customer_id is None:
            return {"anonymous_id": self.device_id}
        if self.both_ids:
            return {"customer_id": self.customer_id, "anonymous_id": self.device_id}
        return {"customer_id": self.customer_id}


class Shop:
    """One store of the scenario. Everything it does comes from `rng`, so that the same seed tells the same story."""

    def __init__(self, scenario: Scenario, spec: StoreSpec, *, live: bool = False) -> None:
        self.spec: Final = spec
        self.habits: Final[Habits] = scenario.habits
        self.rng: Final = Random(f"{scenario.seed}/{spec.store_id}")
        self.prefix: Final = scenario.prefix
        self.catalogue: Final = Catalogue(self.rng, spec)
        self._serial = 0
        self._clocks: Final = (
            Clock(None),
            Clock(None, sends=True),
            Clock(0),
            Clock(120),
            Clock(-180, sends=True),
            Clock(330, tail="456"),
        )
        self._contexts: Final = [
            orjson.Fragment(orjson.dumps({"device": device, "country": country, "locale": locale}))
            for device, weight in _DEVICES
            for country, locale in _PLACES
            for _ in range(weight // 10)
        ]
        self.people: Final = [
            self._person(number, skewed=live and self.rng.random() < scenario.rates.skewed_clocks)
            for number in range(spec.people)
        ]
        # The story begins here: the same people live on in a later run, but they don't repeat their visits.
        self.rng.seed(f"{scenario.seed}/{spec.store_id}/{self.prefix}")

    def _person(self, number: int, *, skewed: bool) -> Person:
        rng = self.rng
        if skewed:
            # Beyond the 60 s under which a difference counts as delay and is left alone.
            skew_ms = int(rng.choice((-1, 1)) * rng.uniform(120_000, 3 * HOUR_MS))
            clock = Clock(None, sends=True, skew_ms=skew_ms)
        else:
            clock = self._clocks[int(rng.random() * len(self._clocks))]
        context = self._contexts[int(rng.random() * len(self._contexts))] if rng.random() < 0.9 else None
        return Person(
            self, number, known=rng.random() < self.habits.known_share, clock=clock, context=context
        )

    def customer_id(self, number: int) -> str:
        """The id under which person `number` logs in."""
        return f"señor-{number}-å" if number % _NOT_ASCII_EVERY == 0 else f"c{number:05d}"

    def key(self, person: str) -> bytes:
        """The record key of a person, or of an order as `order:<id>`."""
        return f"{self.spec.store_id}|{person}".encode()

    def new_id(self, kind: str) -> str:
        """An id no other event, order, session, ... of this store has."""
        self._serial += 1
        return f"{kind}{self.prefix}-{self._serial:x}"

    def someone(self) -> Person:
        """A person, the frequent ones more often."""
        return self.people[int(len(self.people) * self.rng.random() ** 1.5)]

    def chance(self, share: float) -> bool:
        """True that often."""
        return self.rng.random() < share


class Trail:
    """The events of one visit as they come about; `after_ms` is how far into the visit we are."""

    __slots__ = ("after_ms", "drafts", "envelope", "person", "shop")

    def __init__(self, shop: Shop, person: Person, channel: str, session_id: str | None) -> None:
        self.shop = shop
        self.person = person
        self.after_ms = 0
        self.drafts: list[Draft] = []
        # Id and time come first and are filled in when the event happens.
        self.envelope: dict[str, Any] = {
            "event_id": "",
            "type": "",
            "store_id": shop.spec.store_id,
            "occurred_at": 0,
        }
        self.envelope.update(person.ids())
        if session_id is not None:
            self.envelope["session_id"] = session_id
        if channel != "web" or shop.chance(0.5):
            self.envelope["channel"] = channel

    def pause(self, lo_ms: int, hi_ms: int) -> None:
        """Let some time pass, usually nearer to `lo_ms`."""
        share = self.shop.rng.random()
        self.after_ms += lo_ms + int((hi_ms - lo_ms) * share * share)

    def emit(self, topic: str, kind: str, **fields: Any) -> dict[str, Any]:
        """One event now; None fields are left out by the caller. Returns its body."""
        body = {**self.envelope, **fields}
        body["type"] = kind
        if topic == "session" and self.person.context is not None:
            body["context"] = self.person.context
        self.drafts.append(Draft(topic, self.person.key, body, self.after_ms, self.person.clock))
        return body

    def later(
        self, topic: str, kind: str, delay_ms: int, key: bytes, body: dict[str, Any], note: Any = None
    ) -> None:
        """An event `delay_ms` from now with a body of its own (envelope included), whatever the visit does meanwhile."""
        body["type"] = kind
        self.drafts.append(Draft(topic, key, body, self.after_ms + delay_ms, self.person.clock, note))
