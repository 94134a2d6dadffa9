"""A TCP proxy before a server, which can be told to treat bytes badly while connections are open."""

import asyncio
from collections.abc import Callable
from enum import StrEnum
from types import TracebackType
from typing import Self

PIECE = 65_536


class Wire(StrEnum):
    """What becomes of bytes."""

    WHOLE = "whole"
    HELD = "held"
    """Nothing passes in either direction, connections stay open: a dead route. What was held passes afterwards."""
    NO_ANSWERS = "no answers"
    """Requests pass and are carried out; answers are held."""
    SLOW = "slow"
    """Every piece takes `delay_s` longer."""


class TcpProxy:
    """Listens on a free port of loopback from `async with` to its end."""

    def __init__(self, port: int, *, delay_s: float = 0.5) -> None:
        """`port`: of the server."""
        self.port = 0
        self.delay_s = delay_s
        self._target = port
        self._wire = Wire.WHOLE
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def set(self, wire: Wire) -> None:
        """From now on, for open connections too."""
        self._wire = wire
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def cut(self) -> int:
        """Reset every open connection, whatever is on its way. How many they were."""
        for writer in list(self._writers):
            writer.transport.abort()
        return len(self._writers)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, server_writer}
        pumps = [
            asyncio.ensure_future(self._pump(reader, server_writer, lambda: self._wire == Wire.HELD)),
            asyncio.ensure_future(
                self._pump(server_reader, writer, lambda: self._wire in (Wire.HELD, Wire.NO_ANSWERS))
            ),
        ]
        self._tasks |= set(pumps)
        # One side gone: the other is told at once, as a kernel would.
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for each in (writer, server_writer):
            each.transport.abort()
            self._writers.discard(each)
        await asyncio.wait(pumps)
        self._tasks -= set(pumps)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_held: Callable[[], bool]
    ) -> None:
        try:
            while piece := await reader.read(PIECE):
                while is_held():
                    await self._changed.wait()
                if self._wire == Wire.SLOW:
                    await asyncio.sleep(self.delay_s)
                writer.write(piece)
                await writer.drain()
        except OSError:
            return
