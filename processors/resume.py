"""Where a partition left off: what its last epoch stored for its own restart."""

from typing import Final

import msgspec
from msgspec import Struct

from processors import progress

META_FORMAT: Final = 9


class Meta(Struct, array_like=True):
    """Version clock, watermark, largest event time by topic, largest record time, and what other partitions owe us and
    we them."""

    format: int
    clock: int
    watermark: int
    times: dict[str, int]
    record_time: int
    progress: progress.Saved


class CannotResume(Exception):
    """The state was built with other settings or by another Shopmeter: going on would mix two truths."""


def resume(meta: bytes | None) -> Meta:
    """The resume point, or that of a partition that has never worked. Raises CannotResume."""
    if meta is None:
        return Meta(META_FORMAT, 0, 0, {}, 0, progress.fresh())
    resumed = msgspec.msgpack.decode(meta, type=Meta)
    if resumed.format != META_FORMAT:
        raise CannotResume(f"state of format {resumed.format}; this Shopmeter reads format {META_FORMAT}")
    return resumed
