"""What a segment of a person's touches is made of, as it is stored: impressions, interactions, empties."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from operator import attrgetter
from typing import Final

from msgspec import Struct

NO_POSITION: Final = 1 << 30  # after every position: "none is last" (decisions H71)

A_TOUCH_MORE: Final = 32  # products

REMOVED, CLICKED, VIEWED, ADDED = range(4)
KIND_NAMES: Final = ("removed", "clicked", "detail_viewed", "added")


class Impression(Struct, array_like=True, gc=False):
    """One widget shown once, with products and, in parallel, positions. `session_id` is empty where it had none."""

    at: int
    event_id: str
    widget: str
    strategy: str
    placement: str
    session_id: str
    channel: str
    products: tuple[str, ...]  # tuples: the garbage collector lets go of them for good, of lists never
    positions: tuple[int, ...]

    @property
    def size(self) -> int:
        """Of how many touches it takes the room: 64 full ones of long ids would be more than a record may hold."""
        return 1 + len(self.products) // A_TOUCH_MORE

    def position_of(self, product: str) -> int:
        """The best position of the product, which may be shown more than once."""
        return min(
            [place for shown, place in zip(self.products, self.positions, strict=True) if shown == product]
        )


class Anchor(Struct, array_like=True, gc=False):
    """The impression that made an interaction one with a recommended product (H73)."""

    at: int
    widget: str
    strategy: str
    placement: str


class Act(Struct, array_like=True, gc=False):
    """A click, a detail view, an add or a remove of one product."""

    at: int
    kind: int
    event_id: str
    quantity: int
    session_id: str
    channel: str
    widget: str  # of the click itself, empty if it named none
    anchor: Anchor | None


class Segment(Struct, array_like=True, gc=False):
    """Touches of a size of SEGMENT_CAPACITY or a little over; impressions ascend in time.

    Searched from one end to the other: it is short, and an index would take more memory than all it points at.
    """

    impressions: list[Impression]
    acts: dict[str, list[Act]]
    empties: list[int]
    lowest: int
    highest: int
    last_act: int
    size: int

    def take_out(self, event_ids: set[str], empties: list[int]) -> tuple[list[tuple[int, str]], int]:
        """Drop the touches of these events, and carts emptied at `empties`, which are taken off that list. Returns when
        and by which widget the dropped impressions were, and their size in all. Bounds stay wide."""
        gone = [one for one in self.impressions if one.event_id in event_ids]
        size = sum([one.size for one in gone])
        if gone:
            self.impressions = [one for one in self.impressions if one.event_id not in event_ids]
        for product, acts in list(self.acts.items()):
            kept = [act for act in acts if act.event_id not in event_ids]
            if len(kept) < len(acts):
                size += len(acts) - len(kept)
                self.acts[product] = kept
                if not kept:
                    del self.acts[product]
        for at in list(empties):
            if at in self.empties:
                self.empties.remove(at)
                empties.remove(at)
                size += 1
        return [(one.at, one.widget) for one in gone], size

    def shown(self, product: str, low: int, high: int) -> Iterator[Impression]:
        """Impressions of the product in [low, high], the latest first."""
        impressions = self.impressions
        for number in range(bisect_right(impressions, high, key=by_time) - 1, -1, -1):
            impression = impressions[number]
            if impression.at < low:
                return
            if product in impression.products:
                yield impression


class SealedRef(Struct, array_like=True, gc=False):
    """Where a sealed segment is, and the times in it. `bound`: the largest time in it and all sealed before it."""

    number: int
    lowest: int
    highest: int
    last_act: int
    bound: int


def empty_segment() -> Segment:
    """An open segment without touches."""
    return Segment([], {}, [], 1 << 62, 0, 0, 0)


def without(segment: Segment, before: int) -> Segment:
    """The segment less what is older than `before`."""
    fresh = empty_segment()
    fresh.impressions = segment.impressions[bisect_left(segment.impressions, before, key=by_time) :]
    for product, acts in segment.acts.items():
        kept_acts = [act for act in acts if act.at >= before]
        if kept_acts:
            fresh.acts[product] = kept_acts
    fresh.empties = [at for at in segment.empties if at >= before]
    times = [impression.at for impression in fresh.impressions]
    act_times = [act.at for acts in fresh.acts.values() for act in acts]
    times += act_times + fresh.empties
    fresh.lowest = min(times, default=1 << 62)
    fresh.highest = max(times, default=0)
    fresh.last_act = max(act_times, default=0)
    fresh.size = sum([one.size for one in fresh.impressions]) + len(act_times) + len(fresh.empties)
    return fresh


by_time: Final = attrgetter("at")
