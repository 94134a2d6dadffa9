"""Content codings: any chunking gives the same bytes, and a body cut short is an error."""

import gzip
import zlib
from collections.abc import Callable

import pytest
from backports import zstd
from lz4 import frame as lz4

from deploy.local.clickhouse.codec import RESPONSE_CODINGS, choose, compress, decompress
from deploy.local.clickhouse.errors import EngineError

PLAIN = bytes(range(256)) * 400

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "lz4": lz4.compress,
    "zstd": zstd.compress,
}


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


@pytest.mark.parametrize("coding", PACKERS)
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_frames_one_after_another_are_all_read(coding: str, size: int) -> None:
    packed = PACKERS[coding](PLAIN[:1000]) + PACKERS[coding](PLAIN[1000:])
    assert b"".join(decompress(cut(packed, size), coding)) == PLAIN


@pytest.mark.parametrize("coding", PACKERS)
def test_a_body_cut_short_is_an_error(coding: str) -> None:
    with pytest.raises(EngineError, match="ends inside a frame"):
        b"".join(decompress([PACKERS[coding](PLAIN)[:-3]], coding))


def test_an_unknown_coding_is_an_error() -> None:
    with pytest.raises(EngineError) as caught:
        list(decompress([b"x"], "br"))
    assert caught.value.code == 89


@pytest.mark.parametrize("coding", RESPONSE_CODINGS)
def test_a_packed_response_reads_back(coding: str) -> None:
    assert b"".join(decompress(list(compress(iter(cut(PLAIN, 1000)), coding)), coding)) == PLAIN


def test_the_cheapest_offered_coding_is_chosen() -> None:
    assert choose("gzip, deflate, lz4;q=0.5") == "lz4"
    assert choose("br") is None
