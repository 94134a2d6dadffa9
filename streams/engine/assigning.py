"""An assignment, checked; and tasks that end together, or when they are told to."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, Final

from aiokafka import TopicPartition

from schemas.topics import Topics
from streams.engine.options import BrokenAssumption

CANCEL_AGAIN_SECONDS: Final = 0.5


def check_co_location(assigned: frozenset[TopicPartition], topics: Topics) -> list[int]:
    """The partition numbers of an assignment, ascending. BrokenAssumption unless each has all input topics.

    A person's events lie in one partition number of all topics. If two workers had parts of it, each would join half
    of the events, and both would write the same state.
    """
    numbers = sorted({tp.partition for tp in assigned})
    missing = sorted(
        f"{topic}/{number}"
        for number in numbers
        for topic in topics.inputs
        if TopicPartition(topic, number) not in assigned
    )
    foreign = sorted({tp.topic for tp in assigned} - set(topics.inputs))
    if missing or foreign:
        raise BrokenAssumption(
            f"partitions {numbers} were assigned without {missing or 'nothing'} and with topics {foreign or 'none'}"
            " that are not ours; do all input topics have the same partition count, and all workers this version?"
        )
    return numbers


async def gather_or_cancel(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all; when one fails or we are cancelled, cancel the others, wait for them, and raise."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        await cancel(tasks)


async def cancel(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel all, and wait until they have ended.

    More than once: aiokafka's clients swallow a cancellation that meets them while they connect or close, and go on.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_SECONDS)
