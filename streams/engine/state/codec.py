"""How an epoch looks in the changelog: keys, values, version bytes. The only place that knows these bytes.

| changelog key                                   | value                                               |
|-------------------------------------------------|-----------------------------------------------------|
| a processor's key (never empty, never `00...`)  | version, expires_day (2 bytes), the value           |
| `00` `seen` day (2) epoch number (8) index (2)  | version, expires_day (2 bytes), digests of 16 bytes |
| `00` `meta`                                     | version, msgpack of Meta                            |

A null value deletes the key. All numbers are big-endian. A change of any of these bytes needs a new VERSION and a
new folder of golden files; records of every version ever written must stay readable, because compaction keeps them.
"""

import os
from collections.abc import Iterable, Mapping
from struct import Struct as Packer
from typing import Final, NamedTuple

import msgspec

from schemas.epoch import NEVER, Epoch

VERSION: Final = 1
_VERSION_BYTE: Final = bytes([VERSION])
HEAD_BYTES: Final = 3  # version and expires_day, before every value

RESERVED_END: Final = b"\x01"
"""Keys below this one are the engine's own."""
META_KEY: Final = b"\x00meta"
SEEN_PREFIX: Final = b"\x00seen"
DIGEST_BYTES: Final = 16
# 64 KiB a record: far below the broker's limit, and one expiry step deletes no more digests than this.
PACK_DIGESTS: Final = 4096
MAX_DAY: Final = 65_535  # the year 2149
LIFE_BYTES: Final = 8
LIVES_KEPT: Final = 32  # a store of an older one is made again: slow, and right

_SEEN_KEY: Final = Packer(">5sHQH")
_HEADS: dict[int, bytes] = {}

ChangelogRecord = tuple[bytes, bytes | None]


class CodecError(ValueError):
    """Bytes that are not this version's, or an epoch that can't be written. The message names the key."""


class Life(NamedTuple):
    """A partition's time with one owner, from its takeover on. An owner that fails to commit ends; no later one lives on
    from what was not committed, though it may use that number again."""

    id: bytes = b""
    before: tuple[tuple[bytes, int], ...] = ()
    """Earlier lives and the number of the last epoch that the next one found of each, the latest LIVES_KEPT of them."""


NOBODYS: Final = Life()


class Meta(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one epoch leaves as the point to go on from. One a partition, always the last record of an epoch."""

    number: int
    """The epoch's number, from 1, never used twice in one changelog."""
    offsets: dict[str, int]
    """Short source topic -> the next offset to read."""
    processor: bytes
    """`Epoch.meta`, handed back to the processor factory."""
    life: Life = NOBODYS

    def follows(self, earlier: "Meta") -> bool:
        """Whether the other epoch is this one, or one that led to it."""
        if earlier.life.id == self.life.id:
            return earlier.number <= self.number
        ends = dict(self.life.before)
        return earlier.number <= ends.get(earlier.life.id, 0)


def new_life(meta: Meta | None) -> Life:
    """The life that goes on from here."""
    before = (*meta.life.before, (meta.life.id, meta.number)) if meta else ()
    return Life(os.urandom(LIFE_BYTES), before[-LIVES_KEPT:])


class StateRecord(NamedTuple):
    """A processor's key: its value and expiry, or None = deleted."""

    key: bytes
    expires_day: int
    value: bytes | None


class SeenRecord(NamedTuple):
    """A pack of seen digests (16 bytes each), or None = expired."""

    key: bytes
    expires_day: int
    digests: bytes | None


_meta_decoder = msgspec.msgpack.Decoder(Meta)
_meta_encoder = msgspec.msgpack.Encoder(order="sorted")  # the same epoch gives the same bytes


def head(expires_day: int) -> bytes:
    """Version and day, the three bytes before every value. CodecError for a day outside 0..65535."""
    known = _HEADS.get(expires_day)
    if known is None:
        if not NEVER <= expires_day <= MAX_DAY:
            raise CodecError(
                f"expires_day {expires_day} is not within 0..{MAX_DAY}; a day counts from 1970-01-01"
            )
        known = _HEADS[expires_day] = _VERSION_BYTE + expires_day.to_bytes(2)
    return known


def day_of(value: bytes) -> int:
    """The expires_day of an encoded value."""
    return value[1] << 8 | value[2]


def seen_key(expires_day: int, number: int, index: int) -> bytes:
    """The changelog key of one pack. Ordered by day, so that the packs are their own expiry index."""
    return _SEEN_KEY.pack(SEEN_PREFIX, expires_day, number, index)


def seen_day(key: bytes) -> int:
    """The day in a pack's key."""
    day: int = _SEEN_KEY.unpack(key)[1]
    return day


def encode_meta(meta: Meta) -> bytes:
    """The value of the meta record."""
    return _VERSION_BYTE + _meta_encoder.encode(meta)


def decode_meta(value: bytes) -> Meta:
    """The inverse of `encode_meta`. CodecError for any other bytes."""
    check_version(META_KEY, value)
    try:
        return _meta_decoder.decode(value[1:])
    except msgspec.MsgspecError as error:
        raise CodecError(
            f"meta record: {error}; the changelog is damaged or not this application's"
        ) from None


def check_version(key: bytes, value: bytes) -> None:
    """Refuse a value that another version wrote: guessing at its bytes would be silent damage."""
    if not value or value[0] != VERSION:
        found = value[0] if value else "none"
        raise CodecError(
            f"changelog key {key!r}: version {found}, this Shopmeter reads version {VERSION};"
            " start the Shopmeter that wrote it, or a newer one"
        )


def encode_epoch(
    epoch: Epoch,
    *,
    number: int,
    offsets: Mapping[str, int],
    expired: Iterable[bytes] = (),
    life: Life = NOBODYS,
) -> list[ChangelogRecord]:
    """The changelog records of an epoch, in the order they must be written; the meta record is the last.

    `expired` are the changelog keys that `StateStore.expired` named; a key that the epoch writes again stays.
    Raises CodecError for a key in the engine's own key space, a day out of range, digests of a wrong length.
    """
    state = epoch.state
    # Deletions first: a digest that expires and is seen again in one epoch must end up seen.
    records: list[ChangelogRecord] = [(key, None) for key in expired if key not in state]
    append = records.append
    heads = _HEADS.get
    for key, stored in state.items():
        if key < RESERVED_END:
            raise CodecError(
                f"state key {key!r} is empty or begins with a zero byte; those keys are the engine's"
            )
        if stored is None:
            append((key, None))
        else:
            append((key, (heads(stored[0]) or head(stored[0])) + stored[1]))
    index = 0
    step = PACK_DIGESTS * DIGEST_BYTES
    for pack in epoch.seen:
        if len(pack.digests) % DIGEST_BYTES:
            raise CodecError(f"epoch {number}: {len(pack.digests)} bytes of digests are no multiple of 16")
        for start in range(0, len(pack.digests), step):
            value = head(pack.expires_day) + pack.digests[start : start + step]
            append((seen_key(pack.expires_day, number, index), value))
            index += 1
    append((META_KEY, encode_meta(Meta(number, dict(offsets), epoch.meta, life))))
    return records


def decode(key: bytes, value: bytes | None) -> StateRecord | SeenRecord | Meta:
    """One changelog record. CodecError for a key or a version that is not known, and for a deleted meta record."""
    if value is not None:
        check_version(key, value)
    if key >= RESERVED_END:
        if value is None:
            return StateRecord(key, NEVER, None)
        _check_length(key, value, 1)
        return StateRecord(key, day_of(value), value[HEAD_BYTES:])
    if key == META_KEY and value is not None:
        return decode_meta(value)
    if key.startswith(SEEN_PREFIX) and len(key) == _SEEN_KEY.size:
        if value is None:
            return SeenRecord(key, seen_day(key), None)
        _check_length(key, value, DIGEST_BYTES)
        if day_of(value) != seen_day(key):
            raise CodecError(
                f"changelog key {key!r}: day {day_of(value)} in the value; the changelog is damaged"
            )
        return SeenRecord(key, day_of(value), value[HEAD_BYTES:])
    raise CodecError(
        f"changelog key {key!r} is not known to version {VERSION}; is it another application's topic?"
    )


def split_digests(digests: bytes) -> list[bytes]:
    """The members of a pack."""
    return [digests[at : at + DIGEST_BYTES] for at in range(0, len(digests), DIGEST_BYTES)]


def _check_length(key: bytes, value: bytes, step: int) -> None:
    if len(value) < HEAD_BYTES or (len(value) - HEAD_BYTES) % step:
        raise CodecError(
            f"changelog key {key!r}: a value of {len(value)} bytes is cut off; the changelog is damaged"
        )
