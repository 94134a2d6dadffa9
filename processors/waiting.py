"""What an epoch has accepted and heard waits for its end, when each event is given to whom it belongs."""

from typing import Any

from processors.forwarding import Held, Link, Move, Shared


class Waiting:
    """What one epoch has brought, until its end."""

    def __init__(self, watermark: int) -> None:
        self.by_person: dict[str, list[Any]] = {}
        """Events by whom they are about, `store|c:customer` or `store|a:device`; `occurred_at` is event time.
        Filled by the pipeline itself, since a call for each event would be dear."""
        self.events = 0
        self.begin(watermark)

    def begin(self, watermark: int) -> None:
        """A new epoch: none of its events will be judged by an older watermark, unless another partition did."""
        self.by_person, self.events = {}, 0
        self.watermark = watermark
        self.bounds: dict[str, int] = {}
        self.heard: list[tuple[Link | Shared | Move | Held, int]] = []
        self.links: list[tuple[str, str, str, int, int]] = []
        """Of journeys: store, customer, device, when, and the watermark it was judged by."""

    def bind(self, who: str, bound: int) -> None:
        """An event of theirs was forwarded to us, judged by this watermark."""
        self.bounds[who] = min(bound, self.bounds.get(who, bound))

    def bound_of(self, who: str) -> int:
        """The oldest watermark that an event of theirs was judged by."""
        return min(self.watermark, self.bounds.get(who, self.watermark))
