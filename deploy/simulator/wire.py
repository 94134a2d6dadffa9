"""How shops write things on the wire: money as numbers or decimal strings, times in the forms the contract allows.

Written from the contract alone and sharing no code with the pipeline's decoding, since tests compare the two.
"""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final, NamedTuple

CURRENCIES: Final[dict[str, tuple[int, float]]] = {
    "EUR": (2, 1.0),
    "USD": (2, 1.1),
    "GBP": (2, 0.85),
    "BRL": (2, 6.0),
    "MXN": (2, 20.0),
    "JPY": (0, 1.6),
    "CLP": (0, 10.0),
    "KWD": (3, 3.3),
    "TND": (3, 33.0),
}
"""Code -> (decimals, minor units for one euro cent). The second only sets price levels; it is no rate of exchange."""


_UNITS: Final = {0: 1, 2: 100, 3: 1_000}


class SimRecord(NamedTuple):
    """One record for Kafka. `topic` is short (`impression`), `timestamp_ms` the record's own time."""

    topic: str
    key: bytes
    value: bytes
    timestamp_ms: int


class SimDefinition(NamedTuple):
    """One record of the definition topic; its value None deletes what was defined under this key."""

    topic: str
    key: bytes
    value: bytes | None
    timestamp_ms: int


class Draft:
    """An event before it has happened: everything but its id and its time.

    `after_ms` counts from the start of the visit it belongs to. `note` is what the truth must know of orders:
    ("captured", order_id, version, currency, total, units), ("refunded", order_id, refund_id, amount) or
    ("canceled", order_id), money in minor units.
    """

    __slots__ = ("after_ms", "body", "clock", "key", "note", "topic")

    def __init__(
        self,
        topic: str,
        key: bytes,
        body: dict[str, Any],
        after_ms: int,
        clock: "Clock",
        note: tuple[Any, ...] | None = None,
    ) -> None:
        self.topic = topic
        self.key = key
        self.body = body
        self.after_ms = after_ms
        self.clock = clock
        self.note = note


def money(minor: int, currency: str, *, as_text: bool) -> int | float | str:
    """Minor units as the wire has them. Exact: the shortest digits of the float are the decimal's own below 10^15.

    >>> money(1234, "EUR", as_text=True), money(1234, "EUR", as_text=False), money(1234, "JPY", as_text=False)
    ('12.34', 12.34, 1234)
    """
    decimals = CURRENCIES[currency][0]
    if decimals == 0:
        return str(minor) if as_text else minor
    unit = _UNITS[decimals]
    major, rest = divmod(minor, unit)
    if as_text:
        return f"{major}.{rest:0{decimals}d}"
    return minor / unit if rest else major


class Clock:
    """How one device writes instants: epoch ms, or RFC 3339 with an offset and some fraction digits.

    `skew_ms` is how far the device is ahead of the world. It only shows in live mode, where `sent_at` can correct it.
    """

    __slots__ = ("_minutes", "_offset", "_offset_ms", "_suffix", "_tail", "sends", "skew_ms")

    def __init__(
        self, offset_minutes: int | None, *, tail: str = "", sends: bool = False, skew_ms: int = 0
    ) -> None:
        """`offset_minutes` None: epoch ms. `tail`: digits written after the milliseconds, which readers must cut."""
        self._offset = offset_minutes
        self._offset_ms = (offset_minutes or 0) * 60_000
        self._tail = tail
        self._suffix = "Z" if not offset_minutes else _suffix(offset_minutes)
        self._minutes: dict[int, str] = {}
        self.sends = sends
        self.skew_ms = skew_ms

    def write(self, instant_ms: int) -> int | str:
        """The instant (ms since 1970 UTC) as this device writes it."""
        if self._offset is None:
            return instant_ms
        minute, ms = divmod(instant_ms + self._offset_ms, 60_000)
        text = self._minutes.get(minute)
        if text is None:
            if len(self._minutes) > 4_096:
                self._minutes.clear()
            text = self._minutes[minute] = datetime.fromtimestamp(minute * 60, UTC).strftime(
                "%Y-%m-%dT%H:%M:"
            )
        seconds, fraction = divmod(ms, 1_000)
        return f"{text}{seconds:02d}.{fraction:03d}{self._tail}{self._suffix}"


def _suffix(offset_minutes: int) -> str:
    return datetime(2020, 1, 1, tzinfo=timezone(timedelta(minutes=offset_minutes))).isoformat()[-6:]
