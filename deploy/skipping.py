"""A record set aside by hand, before a worker has processed it."""

import asyncio
from typing import Final

from streams.interventions import Coordinates, Kind, open_desk
from streams.lag import LagReader
from streams.settings import Settings

_ASK_SECONDS: Final = 20.0


class SkipRefused(RuntimeError):
    """The record can't be set aside: it is processed already, gone, or not there yet. Says which, and what now."""


async def skip(settings: Settings, place: Coordinates) -> bool:
    """Note that this record is to become a dead letter, unread; False if that was noted before.

    Raises SkipRefused, LagError, KafkaError.
    """
    await _check(settings, place)
    async with open_desk(settings) as desk:
        if desk.is_done(Kind.SKIP, place):
            return False
        await desk.do(Kind.SKIP, [place])
        return True


async def _check(settings: Settings, place: Coordinates) -> None:
    if place.partition >= settings.partitions:
        raise SkipRefused(
            f"{place}: there are {settings.partitions} partitions, 0 to {settings.partitions - 1}"
        )
    topic = settings.topics.source(place.topic)
    async with LagReader(settings, {settings.application: (topic,)}) as reader, asyncio.timeout(_ASK_SECONDS):
        (group,) = await reader.measure()
    (lag,) = [one for one in group.partitions if one.partition == place.partition]
    if place.offset < lag.next:
        raise SkipRefused(
            f"{place}: the workers are at offset {lag.next} already; what is wrong with an accepted event is mended by "
            "its producer, with a later event"
        )
    if place.offset >= lag.end:
        raise SkipRefused(f"{place}: there is no such record; the topic ends at {lag.end}")
