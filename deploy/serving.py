"""The API as a process: listens until a signal, over one reader's connection."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from dashboard.api import make_app
from deploy.query import Server
from deploy.reader import Reader

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
SHUTDOWN_SECONDS: Final = 2.0
_log: Final = logging.getLogger(__name__)


class ServeError(RuntimeError):
    """The server can't listen. Says where, why, and what to change."""


async def serve(server: Server, *, host: str, port: int) -> None:
    """Answer until SIGTERM or SIGINT. Raises ServeError."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving(server, host=host, port=port) as url:
        _log.info("%s answers, reading from %s", url, server.url)
        await stop.wait()


@asynccontextmanager
async def serving(server: Server, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """The API for the length of a block; its URL. Port 0 takes a free one. Raises ServeError."""
    async with Reader(server) as reader:
        # Who listens beyond loopback is called by names that only its proxy knows.
        app = make_app(reader.client, allowed_hosts=LOOPBACK if host in LOOPBACK else None)
        runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS, handler_cancellation=True
        )
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, host, port).start()
            except OSError as error:
                reason = error.strerror or str(error)
                raise ServeError(
                    f"can't listen on {host}:{port} ({reason}); choose another --port, or 0 for a free one"
                ) from error
            shown = f"[{host}]" if ":" in host else host
            yield f"http://{shown}:{runner.addresses[0][1]}"
        finally:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(runner.cleanup(), 2 * SHUTDOWN_SECONDS)
