"""Content codings of HTTP bodies, both ways, a chunk at a time."""

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from backports import zstd
from lz4 import frame as lz4

from deploy.local.clickhouse import errors
from deploy.local.clickhouse.errors import EngineError


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes | None: ...
    def decompress(self, data: bytes, /) -> bytes: ...


_DECOMPRESSORS: dict[str, Callable[[], _Decompressor]] = {
    "gzip": lambda: zlib.decompressobj(31),
    "x-gzip": lambda: zlib.decompressobj(31),
    "deflate": zlib.decompressobj,
    "lz4": lz4.LZ4FrameDecompressor,
    "zstd": zstd.ZstdDecompressor,
}

# In the order this endpoint prefers them: on a loopback connection the cheapest wins.
RESPONSE_CODINGS = ("lz4", "zstd", "gzip", "deflate")


def decompress(chunks: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """The bytes behind a Content-Encoding. Clients send one frame after another; all are read.

    Raises EngineError: 89 for a coding not known here, 117 for bytes that are not of it or end too soon.
    """
    if coding in ("", "identity"):
        yield from chunks
        return
    make = _DECOMPRESSORS.get(coding)
    if make is None:
        known = ", ".join(sorted(_DECOMPRESSORS))
        raise EngineError(errors.UNKNOWN_COMPRESSION, f"Unknown compression method: {coding}; known: {known}")
    current: _Decompressor | None = None
    for chunk in chunks:
        data = chunk
        while data:
            current = current or make()
            try:
                plain = current.decompress(data)
            except Exception as error:
                raise EngineError(errors.INCORRECT_DATA, f"Body is not {coding}: {error}") from error
            if plain:
                yield plain
            data = b""
            if current.eof:
                data, current = current.unused_data or b"", None
    if current is not None:
        # A body cut short must not be taken for the whole of the data.
        raise EngineError(errors.INCORRECT_DATA, f"The {coding} body ends inside a frame")


def choose(accept_encoding: str) -> str | None:
    """The coding of a response, from the client's Accept-Encoding; None: send as it is."""
    offered = {part.split(";")[0].strip().lower() for part in accept_encoding.split(",")}
    return next((coding for coding in RESPONSE_CODINGS if coding in offered), None)


def compress(chunks: Iterator[bytes], coding: str) -> Iterator[bytes]:
    """`chunks` as one stream of `coding`. Closing this iterator closes `chunks`."""
    try:
        match coding:
            case "lz4":
                frame = lz4.LZ4FrameCompressor()
                yield frame.begin()
                for chunk in chunks:
                    yield frame.compress(chunk)
                yield frame.flush()
            case "zstd":
                packer = zstd.ZstdCompressor(level=1)
                for chunk in chunks:
                    yield packer.compress(chunk)
                yield packer.flush()
            case _:
                stream = zlib.compressobj(level=3, wbits=31 if coding == "gzip" else 15)
                for chunk in chunks:
                    yield stream.compress(chunk)
                yield stream.flush()
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
