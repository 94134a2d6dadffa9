"""A sealed segment in memory: the bytes it is stored as, and of these only what is asked for.

Decoded, a segment takes ten times its bytes and fifty microseconds, and most questions ("was this product shown?") are
answered by *no*. So its products stand before it as a mask, a bit by a hash of each: what the mask does not name is not
in the segment, and what it names is looked up in it. A mask may name too much, never too little.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Self
from zlib import crc32

import msgspec

from processors.segments import Segment

MASK_BITS: Final = 2_048
EMPTIED: Final = 1 << MASK_BITS
"""In the mask of a segment in which the cart was emptied."""
ANYTHING: Final = (EMPTIED << 1) - 1
PRODUCTS_REMEMBERED: Final = 8_192  # recommendations name the same ones again and again
_MASK_BYTES: Final = MASK_BITS // 8 + 1
# What a byte of it takes in memory beside a byte of what is kept decoded.
_LIGHTER: Final = 7


class Sealed:
    """One of a person's. `mask`: what it may hold. Who changes what `decoded` gives must `rewrite` it."""

    __slots__ = ("_segment", "_stored", "mask")

    def __init__(self, mask: int, stored: bytes, segment: Segment | None) -> None:
        self.mask = mask
        self._stored = stored
        self._segment = segment

    @classmethod
    def of(cls, segment: Segment) -> Self:
        """One that has just been sealed. It is not written yet: `rewrite`."""
        mask = EMPTIED if segment.empties else 0
        for impression in segment.impressions:
            mask |= mask_of(impression.products)
        return cls(mask | mask_of(segment.acts), b"", segment)

    @classmethod
    def read(cls, stored: bytes) -> Self:
        """From what `rewrite` gave."""
        return cls(int.from_bytes(stored[:_MASK_BYTES]), stored, None)

    @property
    def weight(self) -> int:
        """What it takes in memory, in bytes of what is kept decoded."""
        return len(self._stored) // _LIGHTER

    def decoded(self) -> Segment:
        """The segment itself."""
        segment = self._segment
        if segment is None:
            segment = self._segment = _decode(memoryview(self._stored)[_MASK_BYTES:])
        return segment

    def rewrite(self) -> bytes:
        """As it is to be stored after a change."""
        self._stored = self.mask.to_bytes(_MASK_BYTES) + _encode(self.decoded())
        return self._stored

    def rest(self) -> None:
        """Keep the bytes only. All changes must have been written."""
        if self._stored:
            self._segment = None


@lru_cache(PRODUCTS_REMEMBERED)
def bit_of(product: str) -> int:
    """The product's bit in a mask."""
    return 1 << crc32(product.encode()) % MASK_BITS


def mask_of(products: Iterable[str]) -> int:
    """The bits of all of them."""
    mask = 0
    for product in products:
        mask |= bit_of(product)
    return mask


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Segment).decode
