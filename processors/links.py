"""Whose a device is, and from when on: what its own partition knows of it, and what the customers' partitions tell it.

Every event with both ids links (decisions H20); which of a customer's many links matter depends on the device's other
customers, and nearly every device has only one. So a customer's partition tells the first, and remembers the others for
as long as a link of somebody else can come in between. When the device turns out to be shared, its partition says so to
all of them: they send what they remember, and every link from then on.
State key: `K` device -> links. Kept for ever (H22).
"""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from schemas.epoch import NEVER, StateReader, Stored

# A kilobyte each, in every partition; a visit asks for its device once or twice.
DEVICES_IN_MEMORY: Final = 1_000


class Linked(Struct, array_like=True, gc=False):
    """What a customer's partition remembers of one device of theirs. Times in ms, `recent` in order of arrival."""

    first: int
    recent: list[int]
    is_shared: bool  # every link has been told, and will be
    aside: list[
        tuple[int, int]
    ]  # runs of links before those in `recent`: number and highest time; see `remembered`

    @property
    def latest(self) -> int:
        """The latest link that is remembered; 0: none."""
        return max([*self.recent, *[highest for _, highest in self.aside]], default=0)


class DeviceState(Struct, array_like=True):
    """`links`: customer -> times that may matter, ascending. `is_shared`: it has had two customers, though one may have
    been so in the other's millisecond only. `told`: the customers who know."""

    links: dict[str, list[int]]
    is_shared: bool
    told: list[str]


Timeline = list[tuple[int, str]]
"""(from when on, customer), ascending, one an instant: of several the smallest customer (H23)."""


class Device:
    """A device: `store|a:id`."""

    __slots__ = ("customers", "key", "state", "times", "who")

    def __init__(self, who: str, state: DeviceState) -> None:
        self.who = who
        self.key = person_key_bytes(who)
        self.state = state
        self._look()

    def _look(self) -> None:
        timeline = self.timeline()
        self.times = [at for at, _ in timeline]
        self.customers = [customer for _, customer in timeline]

    def timeline(self) -> Timeline:
        """All links that are known, one an instant."""
        found: dict[int, str] = {}
        for customer, times in self.state.links.items():
            for at in times:
                found[at] = min(customer, found.get(at, customer))
        return sorted(found.items())

    def owner_at(self, at: int, window: int) -> str:
        """The customer whose an event of the device alone is; empty: the device stands for itself (H21, H22)."""
        times = self.times
        if not times:
            return ""
        index = bisect_right(times, at)
        if index:
            return self.customers[index - 1]
        return self.customers[0] if times[0] - at <= window else ""

    def turns(self) -> Timeline:
        """When it went over to another customer."""
        pairs = list(zip(self.times, self.customers, strict=True))
        return [pair for i, pair in enumerate(pairs) if not i or pairs[i - 1][1] != pair[1]]

    def link(self, customer: str, times: Iterable[int], settled: int, oldest: int) -> None:
        """Take note of links. `settled`: no link before this time can still come; `oldest`: no event before this one
        can move any more (ms)."""
        links = self.state.links
        links[customer] = sorted({*links.get(customer, ()), *times})
        self._look()
        self.state.is_shared |= len(links) > 1
        if not self.state.is_shared:
            links[customer] = links[customer][:1]
        else:
            # Of the past only the turns matter: nobody can come in between any more. And of the turns before all events
            # only the last: a device in a shop has a customer an hour.
            kept: dict[str, list[int]] = {}
            turns = self.turns()
            past = [turn for turn in turns if turn[0] < oldest][:-1]
            matter = set(turns) - set(past)
            for at, owner in zip(self.times, self.customers, strict=True):
                if at >= settled or (at, owner) in matter:
                    kept.setdefault(owner, []).append(at)
            self.state.links = kept
            self.state.told = [customer for customer in self.state.told if customer in kept]
        self._look()


class Devices:
    """The devices of one partition."""

    def __init__(self, state: StateReader) -> None:
        self._state = state
        self._known: dict[str, Device] = {}
        self._dirty: dict[str, Device] = {}

    def get(self, who: str) -> Device:
        """The device `store|a:id`, loaded if need be; one without links if nothing is known of it."""
        device = self._known.get(who)
        if device is None:
            stored = self._state.get(b"K" + person_key_bytes(who))
            state = _decode(stored) if stored is not None else DeviceState({}, False, [])
            device = self._known[who] = Device(who, state)
        return device

    def changed(self, device: Device) -> None:
        """Say that its links have changed."""
        self._dirty[device.who] = device

    def write(self, into: dict[bytes, Stored | None]) -> None:
        """Put what has changed into `into`."""
        for device in self._dirty.values():
            into[b"K" + device.key] = Stored(NEVER, _encode(device.state))
        self._dirty.clear()
        if len(self._known) > DEVICES_IN_MEMORY:
            self._known.clear()


def person_key_bytes(who: str) -> bytes:
    """The part of a state key that names a person or device: with its length, so that it can't run into the next."""
    text = who.encode()
    return len(text).to_bytes(2, "big") + text


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(DeviceState).decode
