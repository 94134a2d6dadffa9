"""The stores (tenants): zone, currency, time-outs, windows. Declared in `stores.toml`, loaded by worker and migration."""

from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta, Struct

from schemas.currencies import EXPONENTS
from schemas.topics import DAY_MS

MINUTE_MS: Final = 60_000
QUARTER_MS: Final = 15 * MINUTE_MS
ATTRIBUTION_WINDOW_MS: Final = 7 * DAY_MS  # inclusive, metrics E23
ALLOWED_LATENESS_MS: Final = DAY_MS
SESSION_TIMEOUT_MS: Final = 30 * MINUTE_MS  # metrics E13

BASE_PERIOD_DAYS: Final = 365  # decisions H111

QUARTERS_REMEMBERED: Final = 2_000  # three weeks

Thresholds = tuple[int, int, int, int]
StoreId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")]


class StoresError(ValueError):
    """`stores.toml` can't be used. The message names the file's problem, the store and the field."""


class Rfm(Struct, frozen=True, forbid_unknown_fields=True):
    """How customers are scored from 1 to 5 by recency, frequency and money (metrics M46, M47)."""

    method: Literal["quintiles", "fixed"] = "quintiles"
    r_days: Thresholds = (30, 60, 90, 180)
    """`fixed`: at most so many days since the last receipt for a score of 5, 4, 3, 2."""
    f: Thresholds = (2, 3, 5, 8)
    """`fixed`: at least so many receipts for a score of 2, 3, 4, 5."""
    m: Thresholds = (5_000, 10_000, 25_000, 50_000)
    """`fixed`: at least so much spent, in minor units of the store's currency, for a score of 2, 3, 4, 5."""


class Store(Struct, frozen=True, forbid_unknown_fields=True):
    """One tenant. All durations in milliseconds."""

    zone: str = "UTC"
    """IANA time zone of the store's book-keeping day."""
    currency: str = "EUR"
    """ISO 4217 code, upper case: the currency of goal values without one."""
    name: str = ""
    reporting_currency: str = ""
    """ISO 4217 code: orders are told in it too, at the rate of their day (`schemas.rates`). Empty: they are not."""
    session_timeout_ms: Annotated[int, Meta(ge=MINUTE_MS, le=DAY_MS)] = SESSION_TIMEOUT_MS
    channel_session_timeout_ms: dict[str, Annotated[int, Meta(ge=MINUTE_MS, le=DAY_MS)]] = {}
    """The idle gap of single channels, such as `whatsapp = 86400000`."""
    attribution_window_ms: Annotated[int, Meta(ge=MINUTE_MS, le=30 * DAY_MS)] = ATTRIBUTION_WINDOW_MS
    allowed_lateness_ms: Annotated[int, Meta(ge=0, le=7 * DAY_MS)] = ALLOWED_LATENESS_MS
    tax_in_lines: bool = False
    """True: unit prices hold the tax, and line_paid adds up to `total - shipping` (decisions H62)."""

    base_period_days: Annotated[int, Meta(ge=1, le=BASE_PERIOD_DAYS)] = BASE_PERIOD_DAYS
    """Store dates of the customer base's base period, the as-of date included."""
    rfm: Rfm = Rfm()

    def timeout(self, channel: str) -> int:
        """The idle gap after which a session of this channel is over, in ms."""
        return self.channel_session_timeout_ms.get(channel, self.session_timeout_ms)

    @property
    def retention_ms(self) -> int:
        """Attribution window + allowed lateness, in ms: what bounds of queries count in."""
        return self.attribution_window_ms + self.allowed_lateness_ms


class Calendar:
    """Dates of instants in a zone, remembered by quarter of an hour (every zone's offset changes on one)."""

    def __init__(self, zone: str) -> None:
        self._zone = ZoneInfo(zone)
        self._days: dict[int, int] = {}

    def day(self, instant_ms: int) -> int:
        """The store-local date as days since 1970-01-01."""
        quarter = instant_ms // QUARTER_MS
        day = self._days.get(quarter)
        if day is None:
            if len(self._days) > QUARTERS_REMEMBERED:
                self._days.clear()
            local = datetime.fromtimestamp(quarter * 900, tz=UTC).astimezone(self._zone)
            day = self._days[quarter] = local.toordinal() - 719_163
        return day


@cache
def calendar_of(zone: str) -> Calendar:
    """The calendar of the zone, one for all its stores: a thousand of them would remember the same quarters each."""
    return Calendar(zone)


class _File(Struct, forbid_unknown_fields=True):
    version: int
    stores: dict[StoreId, Store]


def parse_stores(text: str, *, origin: str = "stores.toml") -> dict[str, Store]:
    """`stores.toml` -> store id -> Store. Raises StoresError naming origin, store and field."""
    try:
        file = msgspec.toml.decode(text, type=_File)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise StoresError(f"{origin}: {error}; mend the file, see docs/stores.md") from None
    if file.version != 1:
        raise StoresError(f"{origin}: version {file.version} is not known; this Shopmeter reads version 1")
    for store_id, store in file.stores.items():
        if store.currency not in EXPONENTS:
            raise StoresError(f"{origin}: store {store_id}: currency {store.currency!r} is no ISO 4217 code")
        if store.reporting_currency and store.reporting_currency not in EXPONENTS:
            raise StoresError(
                f"{origin}: store {store_id}: reporting_currency {store.reporting_currency!r} is no ISO 4217 code"
            )
        try:
            ZoneInfo(store.zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise StoresError(
                f"{origin}: store {store_id}: zone {store.zone!r} is no IANA time zone"
            ) from None
        for name in ("r_days", "f", "m"):
            thresholds = getattr(store.rfm, name)
            if list(thresholds) != sorted(set(thresholds)):
                raise StoresError(
                    f"{origin}: store {store_id}: rfm.{name} {list(thresholds)} must ascend; each is one score"
                )
    return file.stores


_READ_ONLY: Final = {"name": "", "base_period_days": BASE_PERIOD_DAYS, "rfm": Rfm()}


def moving_numbers(store: Store) -> Store:
    """Its settings that move stored numbers (zone, currencies, windows, time-outs); the others at their defaults.

    Names do not count, nor do the settings of the customer base: it is computed when it is asked for. Nor do rates:
    state remembers those that it has used, one by one (`processors.rate_book`).
    """
    return msgspec.structs.replace(store, **_READ_ONLY)
