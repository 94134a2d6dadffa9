"""What to simulate, as a value: stores, people, days, habits and the share of records that go wrong."""

import hashlib
from typing import Annotated, Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta, Struct

from deploy.simulator.wire import CURRENCIES
from schemas.stores import Store
from schemas.topics import DAY_MS

HOUR_MS: Final = 3_600_000
MINUTE_MS: Final = 60_000

# Measured over weeks of the default habits; `for_events` divides by it, and a test holds it within 5 percent.
RECORDS_PER_VISIT: Final = 15.7

Share = Annotated[float, Meta(ge=0, le=1)]


class ScenarioError(ValueError):
    """A scenario that can't be played. The message names the field and what it may be."""


class StoreSpec(Struct, frozen=True, kw_only=True):
    """One shop: its book-keeping (zone, currency), where it sells and to how many people."""

    store_id: str
    zone: str = "Europe/Madrid"
    currency: str = "EUR"
    other_currencies: tuple[str, ...] = ()
    """One order in twenty is placed in one of these."""
    channels: tuple[str, ...] = ("web", "app", "whatsapp")
    people: Annotated[int, Meta(ge=1)] = 2_000
    products: Annotated[int, Meta(ge=20)] = 300
    tax_percent: Annotated[int, Meta(ge=0, le=100)] = 0
    """Tax on top of the lines; 0 for shops that don't send `tax`."""

    def settings(self) -> Store:
        """The store as `stores.toml` declares it."""
        return Store(zone=self.zone, currency=self.currency, name=self.store_id.title())


class Habits(Struct, frozen=True, kw_only=True):
    """How people shop. Shares are 0 to 1."""

    visits_per_week: Annotated[float, Meta(gt=0)] = 1.25
    """A person's visits, on average; a few people come far more often than most."""
    known_share: Share = 0.6
    """People who are logged in from the start; the rest are guests."""
    login_rate: Share = 0.0
    """Visits of a guest in which the guest logs in and stays known. Above 0 the session counts of the truth, which
    take every event's person as it stands, no longer hold once identities are stitched."""
    whatsapp_share: Share = 0.15
    no_session_id_share: Share = 0.15
    """Visits whose events carry no `session_id`."""
    order_without_session_share: Share = 0.05
    """Orders of visits with a session that are captured without it (a payment provider's call)."""
    order_rate: Share = 0.66
    """Visits with a full cart that end in an order."""
    comeback_rate: Share = 0.30
    """Visits that begin with products remembered from an earlier visit."""
    journey_rate: Share = 0.14
    experience_rate: Share = 0.30
    goal_rate: Share = 0.06
    support_rate: Share = 0.25
    refund_rate: Share = 0.08
    over_refund_rate: Share = 0.10
    """Refunds followed by a second one that asks for more than is left."""
    cancel_rate: Share = 0.03
    new_version_rate: Share = 0.04
    capture_again_rate: Share = 0.01
    """Orders captured a second time under another event id (a page reload)."""


class Rates(Struct, frozen=True, kw_only=True):
    """What goes wrong on the way, per good event. Shares are 0 to 1, bounds in ms."""

    duplicates: Share = 0.02
    duplicate_bound_ms: int = HOUR_MS
    disorder: Share = 0.10
    disorder_bound_ms: int = HOUR_MS
    late: Share = 0.005
    """Events that arrive hours later, within the allowed lateness."""
    late_bound_ms: int = 22 * HOUR_MS
    too_late: Share = 0.0
    """Extra events older than the allowed lateness; the pipeline's watermark has the last word on each."""
    poison: Share = 0.001
    test_traffic: Share = 0.005
    misrouted: Share = 0.0
    """Records under a wrong key."""
    skewed_clocks: Share = 0.02
    """Live only: people whose device clock is minutes or hours off; `sent_at` says so."""


CLEAN: Final = Rates(
    duplicates=0, disorder=0, late=0, too_late=0, poison=0, test_traffic=0, misrouted=0, skewed_clocks=0
)
"""Nothing goes wrong."""


class Scenario(Struct, frozen=True, kw_only=True):
    """A shop's story: the same scenario gives the same bytes. Instants in epoch ms.

    All stores of one installation belong into one scenario: the pipeline's watermark is common to them, so a second
    history loaded behind the first would be too late.
    """

    start_ms: int
    days: Annotated[float, Meta(gt=0)] = 30
    seed: int = 1
    stores: tuple[StoreSpec, ...] = (StoreSpec(store_id="acme"),)
    habits: Habits = Habits()
    rates: Rates = Rates()
    run: str = ""
    """Begins every id. Empty: made from the scenario, so that two scenarios never share an id."""

    def __post_init__(self) -> None:
        try:
            # A struct built in code is not checked by msgspec; one round through it checks all bounds.
            msgspec.convert(msgspec.to_builtins(self), _Checked)
        except msgspec.ValidationError as error:
            raise ScenarioError(f"scenario: {error}") from None
        if len({store.store_id for store in self.stores}) != len(self.stores) or not self.stores:
            raise ScenarioError("scenario: stores must be one or more, each store_id once")
        for store in self.stores:
            for code in (store.currency, *store.other_currencies):
                if code not in CURRENCIES:
                    raise ScenarioError(
                        f"scenario: store {store.store_id}: no prices in {code!r}; one of {', '.join(CURRENCIES)}"
                    )
            try:
                ZoneInfo(store.zone)
            except (ZoneInfoNotFoundError, ValueError):
                raise ScenarioError(
                    f"scenario: store {store.store_id}: zone {store.zone!r} is no IANA time zone"
                ) from None
            if not store.channels:
                raise ScenarioError(f"scenario: store {store.store_id}: channels must be one or more")
        rates = self.rates
        if max(rates.late_bound_ms, rates.disorder_bound_ms) + rates.duplicate_bound_ms > DAY_MS:
            # A repeat of a late event must still be within the allowed lateness, or it is `too_late`, not `duplicate`.
            raise ScenarioError(
                "scenario: late_bound_ms (or disorder_bound_ms) + duplicate_bound_ms over 24 h"
            )

    @property
    def end_ms(self) -> int:
        """Events happen in [start_ms, end_ms)."""
        return self.start_ms + int(self.days * DAY_MS)

    @property
    def prefix(self) -> str:
        """What every id of this scenario begins with."""
        return self.run or hashlib.blake2b(msgspec.json.encode(self), digest_size=4).hexdigest()

    @property
    def expected_records(self) -> int:
        """About how many records the whole history has."""
        visits = sum(store.people for store in self.stores) * self.habits.visits_per_week * self.days / 7
        extra = 1 + self.rates.duplicates + self.rates.poison + self.rates.test_traffic + self.rates.too_late
        return int(visits * RECORDS_PER_VISIT * extra)

    def settings(self) -> dict[str, Store]:
        """Store id -> Store, as the pipeline's `stores.toml` has to declare them."""
        return {store.store_id: store.settings() for store in self.stores}

    def stores_toml(self) -> str:
        """The text of a `stores.toml` with exactly these stores."""
        lines = ["version = 1"]
        for store in self.stores:
            lines += [
                f'\n[stores."{store.store_id}"]',
                f'zone = "{store.zone}"',
                f'currency = "{store.currency}"',
            ]
        return "\n".join(lines) + "\n"

    @classmethod
    def ending(cls, end_ms: int, *, days: float = 30, **fields: object) -> Self:
        """The `days` up to `end_ms`; other fields as in the class."""
        return msgspec.structs.replace(cls(start_ms=end_ms - int(days * DAY_MS), days=days), **fields)

    @classmethod
    def for_events(cls, events: int, *, people: int, end_ms: int, days: float = 7, seed: int = 1) -> Self:
        """About `events` records (within 5 percent) by `people` people of one store over `days` days."""
        scenario = cls.ending(
            end_ms, days=days, seed=seed, stores=(StoreSpec(store_id="acme", people=people),)
        )
        habits = Habits(visits_per_week=Habits().visits_per_week * events / scenario.expected_records)
        return msgspec.structs.replace(scenario, habits=habits)


class _Checked(Struct):
    start_ms: Annotated[int, Meta(ge=946_684_800_000, lt=4_000_000_000_000)]
    days: Annotated[float, Meta(gt=0, le=3_700)]
    seed: int
    stores: tuple[StoreSpec, ...]
    habits: Habits
    rates: Rates
    run: Annotated[str, Meta(max_length=24, pattern=r"^[A-Za-z0-9_.-]*$")]


FOUR_SHOPS: Final = (
    StoreSpec(store_id="acme", zone="Europe/Madrid", currency="EUR", other_currencies=("USD",), people=900),
    StoreSpec(store_id="gotham", zone="America/New_York", currency="USD", people=500, tax_percent=8),
    StoreSpec(store_id="sakura", zone="Asia/Tokyo", currency="JPY", other_currencies=("USD",), people=400),
    StoreSpec(
        store_id="souk.kw",
        zone="Asia/Kuwait",
        currency="KWD",
        people=200,
        channels=("app", "whatsapp", "store"),
    ),
)
"""Four currencies with 2, 0 and 3 decimals in four zones."""
