"""The bytes of the changelog: kept as golden files, refused when they are not ours."""

from pathlib import Path

import pytest

from schemas.epoch import Epoch, Stored
from streams.engine.state.codec import (
    META_KEY,
    VERSION,
    CodecError,
    Meta,
    SeenRecord,
    StateRecord,
    decode,
    decode_meta,
    encode_epoch,
    encode_meta,
    seen_key,
)
from tests.streams.state_kit import digest, epoch, seen

GOLDEN = Path(__file__).parent.parent / "golden" / "state"

EPOCH = epoch(
    {b"shop|ann|s": Stored(20_780, b"session"), b"shop|bob|o": Stored(0, b""), b"shop|eve|t": None},
    seen=[seen(20_788, 1, 2), seen(20_789, 3)],
    meta=b"\x93\x01\x02\x03",
)
# The file's name -> the decoded record that its bytes must always give.
RECORDS = {
    "tombstone": (b"shop|old|s", StateRecord(b"shop|old|s", 0, None)),
    "value": (b"shop|ann|s", StateRecord(b"shop|ann|s", 20_780, b"session")),
    "value_for_ever": (b"shop|bob|o", StateRecord(b"shop|bob|o", 0, b"")),
    "delete": (b"shop|eve|t", StateRecord(b"shop|eve|t", 0, None)),
    "seen": (seen_key(20_788, 7, 0), SeenRecord(seen_key(20_788, 7, 0), 20_788, digest(1) + digest(2))),
    "seen_next": (seen_key(20_789, 7, 1), SeenRecord(seen_key(20_789, 7, 1), 20_789, digest(3))),
    "meta": (META_KEY, Meta(7, {"click": 120, "order": 9}, b"\x93\x01\x02\x03")),
}


def encoded() -> list[tuple[bytes, bytes | None]]:
    return encode_epoch(EPOCH, number=7, offsets={"order": 9, "click": 120}, expired=[b"shop|old|s"])


def framed(key: bytes, value: bytes | None) -> bytes:
    """A record as kept in a golden file: key length, key, then 0 for null or 1 and the value."""
    return len(key).to_bytes(2) + key + (b"\x00" if value is None else b"\x01" + value)


def test_this_versions_bytes_are_the_golden_ones() -> None:
    golden = {path.stem: path.read_bytes() for path in (GOLDEN / f"v{VERSION}").glob("*.bin")}
    now = {name: framed(key, value) for name, (key, value) in zip(RECORDS, encoded(), strict=True)}
    assert now == golden, "the bytes moved: raise VERSION and keep reading the old ones"


@pytest.mark.parametrize(
    "path", sorted(GOLDEN.glob("v*/*.bin")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_the_bytes_of_every_version_are_still_read(path: Path) -> None:
    raw = path.read_bytes()
    length = int.from_bytes(raw[:2])
    key, rest = raw[2 : 2 + length], raw[2 + length :]
    expected_key, expected = RECORDS[path.stem]
    assert key == expected_key
    assert decode(key, rest[1:] if rest[0] else None) == expected


def test_the_meta_record_is_the_last_and_deletions_are_the_first() -> None:
    records = encoded()
    assert records[0] == (b"shop|old|s", None)
    assert records[-1][0] == META_KEY


def test_an_expired_key_that_the_epoch_writes_again_is_not_deleted() -> None:
    made = epoch({b"k": Stored(9, b"")})
    records = encode_epoch(made, number=1, offsets={}, expired=[b"k", b"old"])
    assert [key for key, value in records if value is None] == [b"old"]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (epoch({b"": Stored(0, b"")}), "empty"),
        (epoch({b"\x00meta": Stored(0, b"")}), "zero byte"),
        (epoch({b"k": Stored(-1, b"")}), "0..65535"),
        (epoch({b"k": Stored(65_536, b"")}), "0..65535"),
        (epoch(seen=[seen(65_536, 1)]), "0..65535"),
        (epoch(seen=[seen(1, 1)._replace(digests=b"short")]), "multiple of 16"),
    ],
)
def test_an_epoch_that_can_not_be_written_is_refused(bad: Epoch, says: str) -> None:
    with pytest.raises(CodecError, match=says):
        encode_epoch(bad, number=1, offsets={})


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        (b"k", b"", "version none"),
        (b"k", b"\x02\x00\x00", "version 2"),
        (b"k", b"\x01\x00", "cut off"),
        (seen_key(5, 1, 0), b"\x01\x00\x05" + b"x" * 15, "cut off"),
        (seen_key(5, 1, 0), b"\x01\x00\x06" + b"x" * 16, "day 6"),
        (b"\x00seen", b"\x01\x00\x05", "not known"),
        (b"\x00what", b"\x01", "not known"),
        (META_KEY, None, "not known"),
        (META_KEY, b"\x01\xc1", "meta record"),
        (META_KEY, b"\x01\x80", "meta record"),
    ],
)
def test_bytes_that_are_not_ours_are_refused(key: bytes, value: bytes | None, says: str) -> None:
    with pytest.raises(CodecError, match=says):
        decode(key, value)


def test_the_meta_record_keeps_all_it_was_given() -> None:
    meta = Meta(2**40, {"journey-node": 2**50}, b"\x00\xff")
    assert decode_meta(encode_meta(meta)) == meta
