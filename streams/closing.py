"""Clients that are closed although the other end may be gone."""

import asyncio
import logging
from collections.abc import Awaitable

log = logging.getLogger("shopmeter.closing")


async def within(closing: Awaitable[None], seconds: float) -> None:
    """Close something that may hang, but do not wait for ever."""
    try:
        await asyncio.wait_for(closing, seconds)
    except TimeoutError:
        log.warning("a connection did not close within %.0f s; left to the end of the process", seconds)
