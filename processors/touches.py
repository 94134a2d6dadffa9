"""What a person saw and did with products, remembered for the attribution window, cut so that an event costs the same
after ten thousand others as after ten.

Touches are appended to one *open* segment; a full one is *sealed* under a key of its own and only read again. Queries
go from the newest segment back and stop as soon as nothing older can win: neither writing nor asking grows with history.
"""

from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct

NO_POSITION: Final = 1 << 30  # after every position: "none is last" (decisions H71)
SEGMENT_CAPACITY: Final = 128

REMOVED, CLICKED, VIEWED, ADDED = range(4)
KIND_NAMES: Final = ("removed", "clicked", "detail_viewed", "added")


class Impression(Struct, array_like=True, gc=False):
    """One widget shown once. `session_id` is empty where the event had none."""

    at: int
    event_id: str
    widget: str
    strategy: str
    placement: str
    session_id: str
    channel: str


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
    """Up to SEGMENT_CAPACITY touches. `shown`: product -> [index of impression, position, index, position, ...]."""

    impressions: list[Impression]
    shown: dict[str, list[int]]
    acts: dict[str, list[Act]]
    empties: list[int]
    lowest: int
    highest: int
    last_act: int
    size: int


class SealedRef(Struct, array_like=True, gc=False):
    """Where a sealed segment is, and the times in it. `bound`: the largest time in it and all sealed before it."""

    number: int
    lowest: int
    highest: int
    last_act: int
    bound: int


def empty_segment() -> Segment:
    """An open segment without touches."""
    return Segment([], {}, {}, [], 1 << 62, 0, 0, 0)


class History:
    """The touches of one person: the open segment, and the sealed ones as they are needed."""

    __slots__ = ("_load", "changed", "last_act", "loaded", "open", "sealed")

    def __init__(
        self, open_segment: Segment, sealed: list[SealedRef], load: Callable[[int], Segment]
    ) -> None:
        self.open = open_segment
        self.sealed = sealed
        self.loaded: dict[int, Segment] = {}
        self.changed: set[int] = set()
        self.last_act = max([open_segment.last_act, *(ref.last_act for ref in sealed)])
        self._load = load

    def _sealed_segment(self, number: int) -> Segment:
        segment = self.loaded.get(number)
        if segment is None:
            segment = self.loaded[number] = self._load(number)
        return segment

    def newest_first(self, low: int, high: int) -> Iterator[tuple[Segment, int]]:
        """Segments that may hold times of [low, high], newest first, each with the largest time in all still to come."""
        sealed = self.sealed
        if not sealed:
            yield self.open, -1
            return
        yield self.open, sealed[-1].bound
        for i in range(len(sealed) - 1, -1, -1):
            ref = sealed[i]
            if ref.bound < low:
                return
            if ref.highest >= low and ref.lowest <= high:
                yield self._sealed_segment(ref.number), (sealed[i - 1].bound if i else -1)

    # -- what happened ---------------------------------------------------------------------------------------------

    def add_impression(self, impression: Impression, products: list[tuple[str, int]]) -> None:
        """Remember that these (product, position) were shown."""
        segment = self._room(impression.at, 1 + len(products) // 4)
        index = len(segment.impressions)
        segment.impressions.append(impression)
        shown = segment.shown
        for product, position in products:
            postings = shown.get(product)
            if postings is None:
                shown[product] = [index, position]
            else:
                postings.append(index)
                postings.append(position)

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
            self.loaded[number] = segment
            self.changed.add(number)
            segment = self.open = empty_segment()
        segment.size += size
        if at < segment.lowest:
            segment.lowest = at
        if at > segment.highest:
            segment.highest = at
        return segment

    def forget(self, before: int) -> list[int]:
        """Drop what is older than `before`; returns the numbers of sealed segments that can be deleted.

        Queries never look that far back, so when this happens changes no answer.
        """
        gone = [ref.number for ref in self.sealed if ref.highest < before]
        if gone:
            self.sealed[:] = [ref for ref in self.sealed if ref.highest >= before]
            bound = 0
            for ref in self.sealed:
                bound = ref.bound = max(bound, ref.highest)
            for number in gone:
                self.loaded.pop(number, None)
                self.changed.discard(number)
        if self.open.lowest < before:
            self.open = _without(self.open, before)
        return gone

    # -- what an order or a session asks ---------------------------------------------------------------------------

    def latest_impression(self, product: str, low: int, high: int, widget: str = "") -> Impression | None:
        """The latest impression of the product in [low, high]; ties: lower position, smaller widget, smaller event id.

        `widget`: only impressions of that widget.
        """
        best: Impression | None = None
        best_position = 0
        for segment, bound in self.newest_first(low, high):
            postings = segment.shown.get(product)
            if postings is not None:
                impressions = segment.impressions
                for i in range(0, len(postings), 2):
                    found = impressions[postings[i]]
                    at = found.at
                    if at < low or at > high or (widget and found.widget != widget):
                        continue
                    position = postings[i + 1]
                    if (
                        best is None
                        or at > best.at
                        or (
                            at == best.at
                            and (position, found.widget, found.event_id)
                            < (best_position, best.widget, best.event_id)
                        )
                    ):
                        best, best_position = found, position
            if best is not None and best.at > bound:
                break
        return best

    def impressions_of(self, product: str, low: int, high: int) -> Iterator[Impression]:
        """Every impression of the product in [low, high]."""
        for segment, _ in self.newest_first(low, high):
            postings = segment.shown.get(product)
            if postings is not None:
                for i in range(0, len(postings), 2):
                    found = segment.impressions[postings[i]]
                    if low <= found.at <= high:
                        yield found

    def acts_of(self, product: str, low: int, high: int) -> Iterator[Act]:
        """Every interaction with the product in [low, high], in no order."""
        for segment, _ in self.newest_first(low, high):
            acts = segment.acts.get(product)
            if acts is not None:
                for act in acts:
                    if low <= act.at <= high:
                        yield act

    def empties_in(self, low: int, high: int) -> list[int]:
        """When the cart was emptied, in [low, high]."""
        return [
            at for segment, _ in self.newest_first(low, high) for at in segment.empties if low <= at <= high
        ]

    def anchor_of(self, product: str, at: int, widget: str, window: int) -> Anchor | None:
        """The impression behind an interaction at `at`: of its own widget if there is one, else of any (H73)."""
        found = self.latest_impression(product, at - window, at, widget) if widget else None
        if found is None:
            found = self.latest_impression(product, at - window, at)
        return None if found is None else Anchor(found.at, found.widget, found.strategy, found.placement)

    def re_anchor(self, product: str, since: int, window: int) -> list[Act]:
        """Look up the anchors of the product's interactions since `since` again; returns these interactions.

        For an impression that came after them: the anchor of an interaction does not depend on who arrives first.
        """
        touched = []
        for segment, number in self._segments_with_acts(since):
            for act in segment.acts.get(product, ()):
                if act.at >= since and act.kind != REMOVED:
                    anchor = self.anchor_of(product, act.at, act.widget, window)
                    if anchor != act.anchor:
                        act.anchor = anchor
                        if number is not None:
                            self.changed.add(number)
                    touched.append(act)
        return touched

    def _segments_with_acts(self, since: int) -> Iterator[tuple[Segment, int | None]]:
        if self.open.last_act >= since:
            yield self.open, None
        for ref in self.sealed:
            if ref.last_act >= since:
                yield self._sealed_segment(ref.number), ref.number

    def latest_interaction(self, low: int, high: int) -> tuple[str, Act] | None:
        """(product, act) of the latest interaction with a recommended product in [low, high].

        Ties: added, then detail_viewed, then clicked; smaller product id; smaller event id (H73).
        """
        best: tuple[str, Act] | None = None
        for segment, bound in self.newest_first(low, high):
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


def _without(segment: Segment, before: int) -> Segment:
    """The segment less what is older than `before`."""
    fresh = empty_segment()
    renumbered: dict[int, int] = {}
    for index, impression in enumerate(segment.impressions):
        if impression.at >= before:
            renumbered[index] = len(fresh.impressions)
            fresh.impressions.append(impression)
    for product, postings in segment.shown.items():
        kept = [
            value
            for i in range(0, len(postings), 2)
            if postings[i] in renumbered
            for value in (renumbered[postings[i]], postings[i + 1])
        ]
        if kept:
            fresh.shown[product] = kept
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
    fresh.size = (
        len(fresh.impressions)
        + len(act_times)
        + len(fresh.empties)
        + sum(map(len, fresh.shown.values())) // 8
    )
    return fresh
