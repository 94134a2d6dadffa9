"""Windowed counters: every accepted event counted in its quarter of an hour, and a live one in its minute."""

from typing import Any, Final

from processors.counters import INDEX, LIVE_WINDOW_MS, WINDOW_MS, Cells, CounterKey
from schemas.epoch import StateReader
from schemas.events.browsing import CartAdded, ProductsShown
from schemas.events.session import MessageExchanged
from schemas.events.types import WIRE_TYPES
from schemas.measures import (
    LIVE_HORIZON_MS,
    LIVE_WINDOW_SECONDS,
    MEASURE_OF,
    MEASURES,
    MESSAGES_OUT,
    PRODUCTS_SHOWN,
    UNITS_ADDED,
    WINDOW_SECONDS,
)


class Windows:
    """The counters of one partition."""

    def __init__(self, state: StateReader) -> None:
        self.cells: Cells[CounterKey] = Cells(b"C", MEASURES, state)
        # Those of this epoch: (store, start of the window in windows, channel) -> cell.
        self._open: dict[tuple[str, int, str], list[int]] = {}
        self._live: dict[tuple[str, int, str], list[int]] = {}

    def add(self, event: Any, at: int, timestamp: int) -> None:
        """Count an event that happened at `at`; `timestamp`: of its record, negative if it has none."""
        kind = event.__class__
        index = _INDEX_OF[kind]
        extra, amount = 0, 0
        if kind is ProductsShown:
            extra, amount = _PRODUCTS_SHOWN, len(event.products)
        elif kind is CartAdded:
            extra, amount = _UNITS_ADDED, event.quantity
        elif kind is MessageExchanged and event.direction == "out":
            index = _MESSAGES_OUT
        store_id, channel = event.store_id, event.channel
        window = (store_id, at // WINDOW_MS, channel)
        cell = self._open.get(window)
        if cell is None:
            key = (store_id, WINDOW_SECONDS, at - at % WINDOW_MS, channel)
            cell = self._open[window] = self.cells.cell(key)
        cell[index] += 1
        if amount:
            cell[extra] += amount
        if at >= timestamp - LIVE_HORIZON_MS and timestamp >= 0:
            window = (store_id, at // LIVE_WINDOW_MS, channel)
            cell = self._live.get(window)
            if cell is None:
                key = (store_id, LIVE_WINDOW_SECONDS, at - at % LIVE_WINDOW_MS, channel)
                cell = self._live[window] = self.cells.cell(key)
            cell[index] += 1
            if amount:
                cell[extra] += amount

    def end_epoch(self) -> None:
        """Forget the open windows: they would not be marked as changed in the next epoch."""
        self._open.clear()
        self._live.clear()


def _types() -> dict[type, int]:
    """Event struct -> position of its measure."""
    found = {}
    for (topic, tag), measure in MEASURE_OF.items():
        wire = WIRE_TYPES[topic]
        for struct in getattr(wire, "__args__", (wire,)):
            if tag in (struct.__struct_config__.tag, "shown" if struct is ProductsShown else None):
                found[struct] = INDEX[measure]
    return found


_INDEX_OF: Final = _types()
_PRODUCTS_SHOWN: Final = INDEX[PRODUCTS_SHOWN]
_UNITS_ADDED: Final = INDEX[UNITS_ADDED]
_MESSAGES_OUT: Final = INDEX[MESSAGES_OUT]
