"""An HTTP shim before ClickHouse: what is asked passes, but inserts may be answered as a server in trouble would."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from itertools import cycle
from types import TracebackType
from typing import Self

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web

MOST_BYTES = 256 * 1_048_576
CODE = "X-ClickHouse-Exception-Code"


class Answer(StrEnum):
    """To an insert."""

    TRUE = "true"
    APPLIED_500 = "applied, then 500"
    APPLIED_CUT = "applied, then the connection is cut"
    AWAY = "503"
    CUT = "cut before anything is applied"
    HANG = "hangs"
    READ_ONLY = "read-only"
    TOO_MANY_PARTS = "too many parts"
    NO_MEMORY = "out of memory"
    SLOW = "applied after five seconds"


REFUSALS = {
    Answer.READ_ONLY: (242, "TABLE_IS_READ_ONLY"),
    Answer.TOO_MANY_PARTS: (252, "TOO_MANY_PARTS"),
    Answer.NO_MEMORY: (241, "MEMORY_LIMIT_EXCEEDED"),
}
SLOW_SECONDS = 5.0


class ClickHouseShim:
    """Listens on a free port of loopback from `async with` to its end. `answered`: inserts by what became of them."""

    def __init__(self, url: str) -> None:
        self.url = ""
        self.answered: Counter[Answer] = Counter()
        self._target = url
        self._answers: Iterator[Answer] = cycle([Answer.TRUE])
        self._changed = asyncio.Event()
        self._session: ClientSession | None = None
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        timeout = ClientTimeout(total=None)
        self._session = ClientSession(timeout=timeout, connector=TCPConnector(limit=0), auto_decompress=False)
        app = web.Application(client_max_size=MOST_BYTES)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        assert self._session is not None
        self.answer(Answer.TRUE)
        await self._runner.cleanup()
        await self._session.close()

    def answer(self, *answers: Answer) -> None:
        """Inserts get these in turn from now on."""
        self._answers = cycle(answers)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def takes(self, *, seconds: float = 60.0) -> bool:
        """Wait until one more insert is applied as it should be; False if none came in that time."""
        before, deadline = self.answered[Answer.TRUE], time.monotonic() + seconds
        while self.answered[Answer.TRUE] == before:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.02)
        return True

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        statement = request.query.get("query", "").lstrip() or body[:16].decode(errors="replace").lstrip()
        if not statement.upper().startswith("INSERT"):
            return await self._passed(request, body)
        answer = next(self._answers)
        self.answered[answer] += 1
        if answer in (Answer.APPLIED_500, Answer.APPLIED_CUT):
            await self._passed(request, body)
        if answer is Answer.SLOW:
            await asyncio.sleep(SLOW_SECONDS)
        if answer is Answer.HANG:
            await self._changed.wait()
        if answer in (Answer.CUT, Answer.APPLIED_CUT, Answer.HANG):
            if request.transport is not None:  # else the client has given up already
                request.transport.close()
            return web.Response(status=500)
        if answer in (Answer.APPLIED_500, Answer.AWAY):
            return web.Response(status=500 if answer is Answer.APPLIED_500 else 503, text="not now")
        if answer in REFUSALS:
            code, name = REFUSALS[answer]
            text = f"Code: {code}. DB::Exception: not now. ({name})"
            return web.Response(status=500, text=text, headers={CODE: str(code)})
        return await self._passed(request, body)

    async def _passed(self, request: web.Request, body: bytes) -> web.Response:
        assert self._session is not None
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        url = self._target + request.raw_path
        async with self._session.request(request.method, url, data=body, headers=headers) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)


_HOP = frozenset(
    {"host", "connection", "transfer-encoding", "content-length", "keep-alive", "date", "server"}
)
