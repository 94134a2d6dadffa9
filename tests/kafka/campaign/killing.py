"""kill -9 at random moments, and how long it takes until the work goes on."""

import asyncio
import random
import time

from msgspec import Struct

from tests.kafka.campaign.load import Load
from tests.kafka.campaign.members import Member
from tests.kafka.campaign.moving import Moving

# Longer than what a killed process has just committed may take to be seen, shorter than any process takes to start.
TRAILING_SECONDS = 0.5
# One kill in so many does not wait until the last one is over: it meets a process that starts or restores.
EARLY_SHARE = 0.2


class Kill(Struct):
    """One kill -9."""

    member: str
    at_event: int
    """Records sent by then."""
    was_working: bool
    """False: it was still starting, joining or restoring."""
    seconds_to_work: float = 0.0
    """Until its successor had partitions; 0 when that one was killed before."""
    seconds_to_commit: float = 0.0
    """Workers only: until the first commit of any partition."""
    seconds_to_all: float = 0.0
    """Workers only: until every partition had committed."""


async def kill_often(
    member: Member,
    count: int,
    chance: random.Random,
    *,
    load: Load,
    moving: Moving,
    longest_wait: float = 2.5,
) -> list[Kill]:
    """`count` kills of the member, most of them while rows flow, as `moving` tells."""
    kills: list[Kill] = []
    for _ in range(count):
        if chance.random() >= EARLY_SHARE:
            await member.works()
            # A sink that is killed while no worker commits has nothing to lose.
            await moving.any_after(time.monotonic())
        await asyncio.sleep(chance.uniform(0.0, longest_wait))  # a random moment is the point
        kill = Kill(member.name, load.sent, bool(member.has()))
        kills.append(kill)
        start, moment = member.starts + 1, time.monotonic()
        await member.replaced()
        follow = asyncio.create_task(_follow(kill, member, start, moment, moving))
        if chance.random() >= EARLY_SHARE:
            await follow
        else:
            follow.cancel()
            await asyncio.wait([follow])
    await member.works()
    return kills


async def _follow(kill: Kill, member: Member, start: int, moment: float, moving: Moving) -> None:
    kill.seconds_to_work = await member.works() - moment
    if member.starts != start:
        kill.seconds_to_work = 0.0  # it ended by itself in between: not the time of one start
        return
    if member.role == "worker":
        kill.seconds_to_commit = await moving.any_after(moment + TRAILING_SECONDS) - moment
        kill.seconds_to_all = await moving.all_after(moment + TRAILING_SECONDS) - moment
