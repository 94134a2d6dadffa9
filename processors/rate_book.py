"""The rates that a partition's orders were told at, and the orders that wait for one.

Rows are a function of the events and of the rates that are configured, whenever a rate came: an order whose day has no
rate yet is remembered, and its row is written again once a worker starts with one. What a row was written with must not
change under it, so every rate that was used is remembered too, and state that knows another one is refused. So rates may
be added at any time, for old days as well; one that was used can't be changed or taken away.

State keys: `U` store|currency|day|reporting currency (used) and `W` store|currency|day|order id (waiting).
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from processors.person import Tenant
from processors.resume import CannotResume
from schemas.epoch import NEVER, StateReader, Stored
from schemas.rates import SAME, Rate, RateKey, day_text

RENEWED_AN_EPOCH: Final = 5_000
"""Orders that are written again in one epoch, beside what else comes: a worker that starts goes on working."""


class RateBook:
    """The rates of one partition. Raises CannotResume if its state was built with others."""

    def __init__(self, state: StateReader, tenants: Mapping[str, Tenant]) -> None:
        self._state = state
        self._used: set[bytes] = set()
        self._dirty: dict[bytes, Stored | None] = {}
        for key, value in state.scan(b"U"):
            self._check(key, value, tenants)
            self._used.add(key)
        self._due = set(_due(state, tenants))

    def _check(self, key: bytes, value: bytes, tenants: Mapping[str, Tenant]) -> None:
        store_id, currency, day, reporting = key[1:].decode().split("|")
        tenant = tenants.get(store_id)
        found = tenant.rates.get(RateKey(int(day), currency, reporting)) if tenant is not None else None
        if found is None or found.text != value.decode():
            now = f"is {found.text} now" if found is not None else "is not there now"
            raise CannotResume(
                f"rates: {currency} in {reporting} of {day_text(int(day))} was {value.decode()} when orders of store"
                f" {store_id} were told at it, and {now}; put it back, or start with a new `application` name to"
                " compute everything again"
            )

    def rate(self, tenant: Tenant, currency: str, day: int, order_id: str) -> Rate | None:
        """What the currency is worth in what the store reports in, on this day. None: the order waits for it."""
        reporting = tenant.store.reporting_currency
        if currency == reporting:
            return SAME
        rate = tenant.rates.get(RateKey(day, currency, reporting))
        if rate is None:
            self._dirty[_place(tenant.store_id, currency, day) + order_id.encode()] = Stored(NEVER, b"")
            return None
        key = b"U" + _place(tenant.store_id, currency, day)[1:] + reporting.encode()
        if key not in self._used:
            self._used.add(key)
            self._dirty[key] = Stored(NEVER, rate.text.encode())
        return rate

    @property
    def has_due(self) -> bool:
        """Orders wait for a rate that has come."""
        return bool(self._due)

    def due(self) -> Iterator[tuple[str, str]]:
        """The next orders (store, order id) whose rows are to be written again; they no longer wait."""
        left = RENEWED_AN_EPOCH
        while self._due and left:
            place = min(self._due)
            found = list(islice(self._state.scan(place), left))
            for key, _ in found:
                self._dirty[key] = None
                store_id, _, _, order_id = key[1:].decode().split("|", 3)
                yield store_id, order_id
            if len(found) < left:
                self._due.remove(place)
            left -= len(found)

    def write(self, into: dict[bytes, Stored | None]) -> None:
        """Put what has changed into `into`."""
        into.update(self._dirty)
        self._dirty.clear()


def _due(state: StateReader, tenants: Mapping[str, Tenant]) -> Iterator[bytes]:
    """What the keys of orders begin with that wait for a rate which is known now; often the same."""
    for key, _ in state.scan(b"W"):
        store_id, currency, day, _ = key[1:].decode().split("|", 3)
        tenant = tenants.get(store_id)
        if tenant is not None:
            asked = RateKey(int(day), currency, tenant.store.reporting_currency)
            if asked in tenant.rates:
                yield _place(store_id, currency, int(day))


def _place(store_id: str, currency: str, day: int) -> bytes:
    return f"W{store_id}|{currency}|{day}|".encode()
