"""Which stores of a world report in one currency, and what the operator's file says of it: odd rates, with gaps."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Final

from msgspec.structs import replace

from schemas.stores import Store
from tests.oracle.bodies import EXPONENTS
from tests.oracle.chooser import Chooser
from tests.oracle.flavours import DAY_MS

# Halves that lie between two minor units, rates far from 1, and some that differ by a digit only.
RATES: Final = ("0.5", "1.5", "2", "0.005", "162.305", "0.00305170", "12.3456789", "1.25", "1.0001", "333")
GAP: Final = 4
"""One of so many days has no rate."""


def choose_reporting(
    chooser: Chooser, stores: Mapping[str, Store], order_times: Iterable[int]
) -> tuple[dict[str, Store], str]:
    """The stores, some with a reporting currency, and a file with the rates of most days around `order_times` (ms)."""
    told = {}
    for store_id, store in stores.items():
        into = chooser.pick(("", "", *EXPONENTS, "USD"))
        told[store_id] = replace(store, reporting_currency=into)
    turn = chooser.integer(0, 10 * GAP)
    wanted = sorted({store.reporting_currency for store in told.values()} - {""})
    days = sorted({at // DAY_MS + step for at in order_times for step in (-1, 0, 1)})
    lines = ["day,currency,reporting_currency,rate"]
    for day in days:
        for place, currency in enumerate(EXPONENTS):
            number = turn + day + 3 * place
            if number % GAP:
                written = date(1970, 1, 1) + timedelta(days=day)
                rate = RATES[number % len(RATES)]
                lines += [f"{written},{currency},{into},{rate}" for into in wanted if into != currency]
    return told, "\n".join(lines) + "\n"
