"""The links of a customer's devices, remembered for as long as a link of somebody else can come in between.

An app sends both ids with every event, so there are as many links as events. The last few are in the person's own value,
which nearly every event rewrites; runs of older ones are put aside under keys of their own, written once and read only
when the device turns out to be shared. State key: `R` person, number -> times.
"""

from typing import Final

import msgspec

from processors.links import Linked
from schemas.epoch import StateReader, Stored
from schemas.topics import DAY_MS

RUN: Final = 64
"""So many links are put aside together."""


def put_aside(
    person: bytes, devices: dict[str, Linked], lateness: int, into: dict[bytes, Stored | None]
) -> None:
    """Put aside what is more than a run. `lateness` in ms: as long a link matters behind the watermark."""
    number = max([run[0] for linked in devices.values() for run in linked.aside], default=-1)
    for linked in devices.values():
        if len(linked.recent) >= RUN:
            number += 1
            highest = max(linked.recent)
            expires = (highest + lateness) // DAY_MS + 2
            into[_key(person, number)] = Stored(expires, _encode(linked.recent))
            linked.aside.append((number, highest))
            linked.recent = []


def forget(person: bytes, linked: Linked, settled: int, into: dict[bytes, Stored | None]) -> None:
    """Drop links before `settled` (ms), whole runs of those put aside: one that stays too long changes nothing."""
    if linked.recent and linked.recent[0] < settled:
        linked.recent = [at for at in linked.recent if at >= settled]
    if linked.aside and linked.aside[0][1] < settled:
        for number, highest in linked.aside:
            if highest < settled:
                into[_key(person, number)] = None
        linked.aside = [run for run in linked.aside if run[1] >= settled]


def all_times(state: StateReader, person: bytes, linked: Linked, settled: int) -> list[int]:
    """All links that are remembered, in order of arrival. LookupError for a run that should be stored and is not."""
    times: list[int] = []
    for number, highest in linked.aside:
        value = state.get(_key(person, number))
        if value is not None:
            times += _decode(value)
        elif highest >= settled:  # others have expired
            raise LookupError(
                f"run {number} of a customer's links is named in state but not stored: corrupt state"
            )
    return times + linked.recent


def _key(person: bytes, number: int) -> bytes:
    return b"R" + person + number.to_bytes(4, "big")


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[int]).decode
