"""Watermarks wait here until what they promise is visible.

A watermark row and the rows it speaks of leave the worker in one transaction, but in different topics, and a reader
meets topics in any order: after an outage it may read a day of watermarks before the first order. So when a watermark is
read, the end of every sibling partition is asked for (the rows of its transaction are below it), and the watermark is
inserted only when everything up to those ends has been.
"""

from collections.abc import Collection, Mapping
from typing import Final

from sinks.batching import Origin

Place = tuple[str, int]
"""(topic, partition)"""


class _Ripe:
    """One watermark, and how far its siblings must be."""

    __slots__ = ("barrier", "is_asked_for", "origin", "wire")

    def __init__(self, wire: bytes, origin: Origin) -> None:
        self.wire = wire
        self.origin = origin
        self.barrier: Mapping[str, int] | None = None
        self.is_asked_for = False


class Ripening:
    """Held watermarks: at most two a partition, the oldest and the newest.

    The oldest keeps its ends, so that under steady load, where ends move on for ever, something ripens all the time.
    """

    def __init__(self, siblings: Collection[str]) -> None:
        self.siblings: Final = tuple(siblings)
        """The topics whose partition p must be visible before the watermark of partition p."""
        self._held: dict[int, list[_Ripe]] = {}

    def __bool__(self) -> bool:
        return bool(self._held)

    def add(self, wire: bytes, origin: Origin) -> None:
        """Hold a watermark row of `origin.partition`, read after all that are already held."""
        held = self._held.setdefault(origin.partition, [])
        while held and (len(held) > 1 or (held[-1].barrier is None and not held[-1].is_asked_for)):
            held.pop()  # the newer one says more, and nothing waits for this one yet
        held.append(_Ripe(wire, origin))

    def unbounded(self) -> frozenset[int]:
        """The partitions with a watermark whose ends are still to be asked for.

        These watermarks stay until they have them: a newer one in their place would take ends from before its own rows.
        """
        unbounded = [partition for partition, held in self._held.items() if held[0].barrier is None]
        for partition in unbounded:
            self._held[partition][0].is_asked_for = True
        return frozenset(unbounded)

    def bound(self, ends: Mapping[Place, int]) -> None:
        """Tell the ends (high watermarks, uncommitted records too) of all siblings, asked for after `unbounded`."""
        for partition, held in self._held.items():
            if held[0].barrier is None and all((topic, partition) in ends for topic in self.siblings):
                held[0].barrier = {topic: ends[topic, partition] for topic in self.siblings}

    def ripe(self, visible: Mapping[Place, int]) -> list[tuple[bytes, Origin]]:
        """Take out the watermarks whose siblings are visible up to their ends.

        `visible`: for each place the next offset that is not yet inserted.
        """
        out = []
        for partition, held in list(self._held.items()):
            barrier = held[0].barrier
            if barrier is None or any(
                visible.get((topic, partition), -1) < end for topic, end in barrier.items()
            ):
                continue
            first = held.pop(0)
            out.append((first.wire, first.origin))
            if not held:
                del self._held[partition]
        return out

    def first_offset(self, partition: int) -> int | None:
        """The oldest record still held: the offset that may be committed for the watermarks topic, None if free."""
        held = self._held.get(partition)
        return held[0].origin.offset if held else None

    def clear(self) -> None:
        """Forget everything, see `RowBuffer.clear`."""
        self._held.clear()
