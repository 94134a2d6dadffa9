"""What a person saw and did with products, remembered for the attribution window, cut so that an event costs the same
after ten thousand others as after ten.

Touches go to one *open* segment; a full one is *sealed*: put under a key of its own, and only read again. Queries go from
the newest segment back, past those that can't hold the product, and stop as soon as nothing older can win: writing does
not grow with the history, and of asking only what a mask costs.
"""

from bisect import insort
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Final

from processors.sealed import ANYTHING, EMPTIED, Sealed, bit_of, mask_of
from processors.segments import (
    REMOVED,
    Act,
    Anchor,
    Impression,
    SealedRef,
    Segment,
    by_time,
    empty_segment,
    without,
)

SEGMENT_CAPACITY: Final = 64


class History:
    """The touches of one person: the open segment, and the sealed ones as they are needed."""

    __slots__ = ("_load", "_within", "changed", "has_sealed", "last_act", "loaded", "open", "sealed")

    def __init__(self, open_segment: Segment, sealed: list[SealedRef], load: Callable[[int], Sealed]) -> None:
        self.open = open_segment
        self.sealed = sealed
        self.loaded: dict[int, Sealed] = {}
        self.changed: set[int] = set()
        self.has_sealed = False  # a segment, since the last flush
        self.last_act = max([open_segment.last_act, *map(_last_act, sealed)])
        self._load = load
        self._within: tuple[int, int, list[Sealed]] | None = None

    @property
    def weight(self) -> int:
        """What the sealed segments in memory take, in bytes of what is kept decoded."""
        return sum([sealed.weight for sealed in self.loaded.values()])

    def _sealed(self, number: int) -> Sealed:
        sealed = self.loaded.get(number)
        if sealed is None:
            sealed = self.loaded[number] = self._load(number)
        return sealed

    def newest_first(
        self, low: int, high: int, bits: int = ANYTHING, acted: int = 0
    ) -> Iterator[tuple[Segment, int]]:
        """Segments that may hold times of [low, high], newest first, each with the largest time in all still to come.

        `bits`: only those in whose mask one of them is. `acted`: only those with an interaction since.
        """
        yield self.open, (self.sealed[-1].bound if self.sealed else -1)
        for one, bound in self._sealed_first(low, high, acted):
            if one.mask & bits:
                yield one.decoded(), bound

    def _sealed_first(self, low: int, high: int, acted: int = 0) -> Iterator[tuple[Sealed, int]]:
        """The sealed ones of these, each loaded when its turn has come."""
        sealed = self.sealed
        for i in range(len(sealed) - 1, -1, -1):
            ref = sealed[i]
            if ref.bound < low:
                return
            if ref.highest >= low and ref.lowest <= high and ref.last_act >= acted:
                yield self._sealed(ref.number), (sealed[i - 1].bound if i else -1)

    def within(self, low: int, high: int, product: str | None) -> list[Segment]:
        """These segments (or more) at once: those that may hold the product; None: in which the cart was emptied.

        The sealed ones are remembered for the next question: an order asks for each of its products.
        """
        if not self.sealed:
            return [self.open]
        known = self._within
        if known is None or known[0] != low or known[1] < high:
            known = self._within = low, high, [one for one, _ in self._sealed_first(low, high)]
        bits = EMPTIED if product is None else bit_of(product)
        return [self.open, *[one.decoded() for one in known[2] if one.mask & bits]]

    # -- what happened ---------------------------------------------------------------------------------------------

    def add_impression(self, impression: Impression) -> None:
        """Remember what was shown."""
        impressions = self._room(impression.at, impression.size).impressions
        if impressions and impression.at < impressions[-1].at:
            insort(impressions, impression, key=by_time)
        else:
            impressions.append(impression)

    def add_act(self, product: str, act: Act) -> None:
        """Remember an interaction with a product."""
        at = act.at
        segment = self._room(at, 1)
        acts = segment.acts.get(product)
        if acts is None:
            segment.acts[product] = [act]
        else:
            acts.append(act)
        if at > segment.last_act:
            segment.last_act = at
            if at > self.last_act:
                self.last_act = at

    def add_empty(self, at: int) -> None:
        """Remember that the cart was emptied."""
        self._room(at, 1).empties.append(at)

    def _room(self, at: int, size: int) -> Segment:
        segment = self.open
        if segment.size >= SEGMENT_CAPACITY:
            number = self.sealed[-1].number + 1 if self.sealed else 0
            bound = max(segment.highest, self.sealed[-1].bound if self.sealed else 0)
            self.sealed.append(SealedRef(number, segment.lowest, segment.highest, segment.last_act, bound))
            self.loaded[number] = Sealed.of(segment)
            self.changed.add(number)
            self.has_sealed = True
            segment = self.open = empty_segment()
        self._within = None
        segment.size += size
        if at < segment.lowest:
            segment.lowest = at
        if at > segment.highest:
            segment.highest = at
        return segment

    def take_out(self, event_ids: set[str], empties: list[int], low: int, window: int) -> None:
        """Forget the touches of these events, none of which is older than `low`, and as many carts emptied at `empties`.

        Interactions that one of the impressions was behind look for another among those that are remembered.
        """
        self._within = None
        left = list(empties)
        segments: list[tuple[Segment, int | None]] = [(self.open, None)]
        segments += [
            (self._sealed(ref.number).decoded(), ref.number) for ref in self.sealed if ref.highest >= low
        ]
        lost = set()
        for segment, number in segments:
            gone, size = segment.take_out(event_ids, left)
            lost.update(gone)
            if number is None:
                segment.size -= size
            elif size:
                self.changed.add(number)
        for segment, number in segments:
            for product, acts in segment.acts.items():
                for act in acts:
                    if act.anchor is not None and (act.anchor.at, act.anchor.widget) in lost:
                        act.anchor = self.anchor_of(product, act.at, act.widget, window)
                        if number is not None:
                            self.changed.add(number)

    def forget(self, before: int) -> list[int]:
        """Drop what is older than `before`; returns the numbers of sealed segments that can be deleted.

        Queries never look that far back, so when this happens changes no answer.
        """
        self._within = None
        gone: list[int] = []
        # They nearly ascend: an old one behind a younger one is found when that one goes.
        if self.sealed and self.sealed[0].highest < before:
            gone = [ref.number for ref in self.sealed if ref.highest < before]
            self.sealed[:] = [ref for ref in self.sealed if ref.highest >= before]
            bound = 0
            for ref in self.sealed:
                bound = ref.bound = max(bound, ref.highest)
            for number in gone:
                self.loaded.pop(number, None)
                self.changed.discard(number)
        if self.open.lowest < before:
            self.open = without(self.open, before)
        return gone

    # -- what an order or a session asks ---------------------------------------------------------------------------

    def latest_impression(self, product: str, low: int, high: int, widget: str = "") -> Impression | None:
        """The latest impression of the product in [low, high]; ties: lower position, smaller widget, smaller event id.

        `widget`: only impressions of that widget.
        """
        if not self.sealed:
            return _latest(self.open.impressions, product, low, high, widget)
        best: Impression | None = None
        for segment, bound in self.newest_first(low, high, bit_of(product)):
            for found in segment.shown(product, low, high):
                if best is not None and found.at < best.at:
                    break
                if widget and found.widget != widget:
                    continue
                if best is None or found.at > best.at or _wins(found, best, product):
                    best = found
            if best is not None and best.at > bound:
                break
        return best

    def impressions_of(self, product: str, low: int, high: int) -> list[Impression]:
        """Every impression of the product in [low, high], in no order."""
        found: list[Impression] = []
        for segment in self.within(low, high, product):
            found += segment.shown(product, low, high)
        return found

    def acts_of(self, product: str, low: int, high: int) -> Iterator[Act]:
        """Every interaction with the product in [low, high], in no order."""
        for segment in self.within(low, high, product):
            acts = segment.acts.get(product)
            if acts is not None:
                for act in acts:
                    if low <= act.at <= high:
                        yield act

    def empties_in(self, low: int, high: int) -> list[int]:
        """When the cart was emptied, in [low, high]."""
        return [at for segment in self.within(low, high, None) for at in segment.empties if low <= at <= high]

    def anchor_of(self, product: str, at: int, widget: str, window: int) -> Anchor | None:
        """The impression behind an interaction at `at`: of its own widget if there is one, else of any (H73)."""
        found = self.latest_impression(product, at - window, at)
        if found is None:
            return None
        if widget and found.widget != widget:
            found = self.latest_impression(product, at - window, at, widget) or found
        return Anchor(found.at, found.widget, found.strategy, found.placement)

    def re_anchor(self, impression: Impression, window: int) -> Iterator[Act]:
        """Look up the anchors of later interactions with the products of an impression that came after them.

        The anchor of an interaction does not depend on who arrives first. Yields the interactions looked at.
        """
        since, products = impression.at, {*impression.products}
        segments: list[tuple[Segment, int | None]] = [(self.open, None)]
        bits = mask_of(products) if self.sealed else 0
        for ref in self.sealed:
            if ref.last_act >= since and (one := self._sealed(ref.number)).mask & bits:
                segments.append((one.decoded(), ref.number))
        for segment, number in segments:
            for product in segment.acts.keys() & products:
                for act in segment.acts[product]:
                    if act.at >= since and act.kind != REMOVED:
                        if _may_anchor(impression, act):
                            act.anchor = self.anchor_of(product, act.at, act.widget, window)
                            if number is not None:
                                self.changed.add(number)
                        yield act

    def latest_interaction(self, low: int, high: int) -> tuple[str, Act] | None:
        """(product, act) of the latest interaction with a recommended product in [low, high].

        Ties: added, then detail_viewed, then clicked; smaller product id; smaller event id (H73).
        """
        best: tuple[str, Act] | None = None
        for segment, bound in self.newest_first(low, high, acted=low):
            if segment.last_act >= low:
                for product, acts in segment.acts.items():
                    for act in acts:
                        at = act.at
                        if at < low or at > high or act.anchor is None or (best and at < best[1].at):
                            continue
                        if (
                            best is None
                            or at > best[1].at
                            or (-act.kind, product, act.event_id) < (-best[1].kind, best[0], best[1].event_id)
                        ):
                            best = product, act
            if best is not None and best[1].at > bound:
                break
        return best


_last_act: Final = attrgetter("last_act")


def _latest(
    impressions: list[Impression], product: str, low: int, high: int, widget: str
) -> Impression | None:
    """The same among impressions that ascend in time: nearly everybody has no more than one segment."""
    best: Impression | None = None
    for found in reversed(impressions):
        at = found.at
        if at > high:
            continue
        if at < low or (best is not None and at < best.at):
            break
        if (
            product in found.products
            and (not widget or found.widget == widget)
            and (best is None or _wins(found, best, product))
        ):
            best = found
    return best


def _may_anchor(impression: Impression, act: Act) -> bool:
    """Could an impression that has just come, before the act in event time, be its anchor instead of the one it has?"""
    anchor = act.anchor
    if anchor is None or impression.at >= anchor.at:
        return True
    return bool(act.widget) and impression.widget == act.widget and anchor.widget != act.widget


def _wins(one: Impression, other: Impression, product: str) -> bool:
    """Of two impressions in one ms: lower position, then smaller widget, then smaller event id."""
    return (one.position_of(product), one.widget, one.event_id) < (
        other.position_of(product),
        other.widget,
        other.event_id,
    )
