"""Where a key belongs: Kafka's default partitioner, murmur2 of the key's bytes, as Java and aiokafka clients have it."""

import struct
from typing import Final

_SEED: Final = 0x9747B28C
_MIX: Final = 0x5BD1E995
_MASK: Final = 0xFFFFFFFF


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of `key` in a topic with this many."""
    size = len(key)
    state = _SEED ^ size
    whole = size & ~3
    for (word,) in struct.iter_unpack("<I", key[:whole]):
        word = (word * _MIX) & _MASK
        word ^= word >> 24
        state = ((state * _MIX) & _MASK) ^ ((word * _MIX) & _MASK)
    if whole != size:
        state = ((state ^ int.from_bytes(key[whole:], "little")) * _MIX) & _MASK
    state ^= state >> 13
    state = (state * _MIX) & _MASK
    return ((state ^ (state >> 15)) & 0x7FFFFFFF) % partitions
