"""The settings that a partition's state was built with, store by store.

Stores may be added at any time: nothing in state is of them. One that is there must stay as it is, since its rows and
its open sessions, orders and credits were made by its zone, currencies, windows and time-outs.

State key: `Z` store -> its settings.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from processors.person import Tenant
from processors.resume import CannotResume
from schemas.epoch import NEVER, StateReader, Stored
from schemas.stores import Store, moving_numbers


class StoreBook:
    """The stores of one partition. Raises CannotResume if one of them is gone, or not what it was."""

    def __init__(self, state: StateReader, tenants: Mapping[str, Tenant]) -> None:
        known = {key[1:].decode(): _decode(value) for key, value in state.scan(b"Z")}
        for store_id, store in known.items():
            tenant = tenants.get(store_id)
            if tenant is None:
                raise CannotResume(
                    f"stores: {store_id} is not there any more, but this state was built with it; put it back: a store"
                    " that is closed stays in the file"
                )
            _check(store_id, store, moving_numbers(tenant.store))
        self._new = {
            b"Z" + store_id.encode(): Stored(NEVER, _encode(moving_numbers(tenant.store)))
            for store_id, tenant in tenants.items()
            if store_id not in known
        }

    def write(self, into: dict[bytes, Stored | None]) -> None:
        """Put stores that are new into `into`."""
        into.update(self._new)
        self._new = {}


def _check(store_id: str, was: Store, now: Store) -> None:
    for name in Store.__struct_fields__:
        then, today = getattr(was, name), getattr(now, name)
        if then != today:
            raise CannotResume(
                f"stores: {store_id}: {name} was {then!r} when this state was built, and is {today!r} now; put it back,"
                " or compute everything again under a new `application` name, see docs/stores.md"
            )


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Store).decode
