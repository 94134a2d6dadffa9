"""ClickHouse's HTTP interface: requests in, one engine thread each, answers out."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

from aiohttp import ClientConnectionError, web

from deploy.local.clickhouse import errors
from deploy.local.clickhouse.engine import Engine
from deploy.local.clickhouse.errors import EngineError
from deploy.local.clickhouse.guard import Side
from deploy.local.clickhouse.request import Query, parse
from deploy.local.clickhouse.worker import Reply, Running, begin

# What reads has other threads than what writes, on the full side too: however many slow queries wait, an
# insert finds one. And the pipeline's own queries do not wait for those of readers.
WRITER_THREADS = 8
FULL_READER_THREADS = 8
READER_THREADS = 8

# Sent with every answer, and shown by clients: this is no server of a cluster.
DISPLAY_NAME = "shopmeter-local"

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_READ_BUFFER = 1 << 20

_T = TypeVar("_T")


class Endpoint:
    """The handlers of both listeners. `allowed_hosts`: names a request may call this machine by (None: any)."""

    def __init__(self, engine: Engine, allowed_hosts: frozenset[str] | None = _LOOPBACK) -> None:
        self._engine = engine
        self._allowed_hosts = allowed_hosts
        self._writers = ThreadPoolExecutor(WRITER_THREADS, "writer")
        self._full_readers = ThreadPoolExecutor(FULL_READER_THREADS, "full-reader")
        self._readers = ThreadPoolExecutor(READER_THREADS, "reader")
        self._control = ThreadPoolExecutor(1, "control")
        self._running: set[asyncio.Future[object]] = set()
        self._closing = False

    def app(self, side: Side) -> web.Application:
        """One listener's application; with `Side.READER` every request on it is read-only, whoever asks."""

        async def query(request: web.Request) -> web.StreamResponse:
            return await self._query(request, side)

        app = web.Application()
        app.router.add_get("/ping", _ok)
        app.router.add_get("/replicas_status", _ok)
        app.router.add_route("GET", "/", query, name="get")
        app.router.add_route("POST", "/", query)
        return app

    async def drain(self, seconds: float) -> None:
        """Let what runs finish within `seconds`, then stop it; new requests are refused meanwhile."""
        self._closing = True
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)
        if self._running:
            await asyncio.get_running_loop().run_in_executor(self._control, self._engine.kill, None)
            # Meanwhile the last may have ended by itself, and nothing can't be waited for.
            if self._running:
                await asyncio.wait(self._running, timeout=seconds / 2)

    async def _query(self, request: web.Request, side: Side) -> web.StreamResponse:
        query_id = str(uuid4())
        try:
            self._check_origin(request)
            pairs, body = await self._input(request)
            query = parse(pairs, request.headers, method=request.method, side=side, query_id=query_id)
            query_id = query.query_id
            if not query.sql and request.method == "GET":
                return await _ok(request)
            return await self._run(request, query, body)
        except EngineError as error:
            # The rest of a refused body is not worth reading, and unread it would be taken for the next request.
            return self._failure(error, query_id, close=not request.content.is_eof())

    async def _run(self, request: web.Request, query: Query, body: Iterator[bytes]) -> web.StreamResponse:
        running = Running(f"{query.query_id}/{uuid4().hex}")
        work = self._track(asyncio.ensure_future(self._answer(query, running, body)))
        try:
            reply = await asyncio.shield(work)
        except asyncio.CancelledError:
            # The client went away. A reading query may stop with it; an insert that has its data goes on.
            work.add_done_callback(lambda done: self._abandon(query, done))
            if running.reading and query.cancels_on_disconnect and not self._closing:
                self._control.submit(self._engine.kill, running.mark)
            raise
        headers = {**self._common(query.query_id), **reply.headers}
        if reply.rest is None:
            return await _send(request, headers, reply.held)
        return await self._stream(request, query, headers, reply, reply.rest)

    async def _answer(self, query: Query, running: Running, body: Iterator[bytes]) -> Reply:
        """Judge and run it, what reads in a thread for that: which it is, is known only once it is judged."""

        def first() -> Reply | Callable[[], Reply]:
            run = begin(self._engine, query, running, body)
            return run if running.reading and query.side is Side.FULL else run()

        pool = self._readers if query.side is Side.READER else self._writers
        begun = await self._in_thread(pool, first)
        if isinstance(begun, Reply):
            return begun
        # Also while closing: what was begun has a session, and only running it gives that back.
        return await asyncio.get_running_loop().run_in_executor(self._full_readers, begun)

    async def _stream(
        self, request: web.Request, query: Query, headers: dict[str, str], reply: Reply, rest: Iterator[bytes]
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={**headers, "X-ClickHouse-Exception-Tag": reply.late.tag})
        step: asyncio.Future[bytes | None] | None = None
        try:
            await response.prepare(request)
            for piece in reply.held:
                await response.write(piece)
            reply.held.clear()
            while True:
                step = self._in_thread(self._streamers(query), lambda: next(rest, None))
                piece_or_end = await asyncio.shield(step)
                if piece_or_end is None:
                    break
                await response.write(piece_or_end)
            if not reply.late.raised:
                await response.write_eof()
            elif request.transport is not None:
                # A client that does not know the tag must not take a part of the answer for the whole.
                request.transport.close()
        except ClientConnectionError:
            pass
        finally:
            if step is not None and not step.done():
                await asyncio.wait([step])
            close = getattr(rest, "close", None)
            if close is not None:
                await asyncio.shield(self._in_thread(self._streamers(query), close))
        return response

    async def _input(self, request: web.Request) -> tuple[list[tuple[str, str]], Iterator[bytes]]:
        """URL and form parameters, and the body: pulled chunk by chunk by the thread that eats it."""
        pairs = list(request.query.items())
        if request.content_type == "multipart/form-data":
            form = await request.post()
            for name, value in form.items():
                if not isinstance(value, str):
                    raise EngineError(errors.NOT_IMPLEMENTED, f"external data ({name}) is not supported here")
                pairs.append((name, value))
            return pairs, iter(())
        loop = asyncio.get_running_loop()

        def pull() -> bytes:
            return asyncio.run_coroutine_threadsafe(request.content.readany(), loop).result()

        return pairs, iter(pull, b"")

    def _check_origin(self, request: web.Request) -> None:
        """Refuse what a foreign web page sends through a browser of this machine, by name or across origins."""
        if self._allowed_hosts is None:
            return
        # A browser always sends the Origin of a foreign POST. `null` is one: of a page in a sandboxed frame.
        for name in (f"//{request.host}", request.headers.get("Origin", "//localhost")):
            try:
                host = urlsplit(name).hostname
            except ValueError:
                host = None
            if host not in self._allowed_hosts:
                message = (
                    f"request for or from {host}: this endpoint answers only to {sorted(self._allowed_hosts)}"
                )
                raise EngineError(errors.ACCESS_DENIED, message)

    def _streamers(self, query: Query) -> ThreadPoolExecutor:
        """The threads for the rest of an answer: it is a query's, or is ready."""
        return self._readers if query.side is Side.READER else self._full_readers

    def _in_thread(self, pool: ThreadPoolExecutor, work: Callable[[], _T]) -> asyncio.Future[_T]:
        if self._closing:
            raise EngineError(errors.ABORTED, "The endpoint is shutting down")
        return self._track(asyncio.get_running_loop().run_in_executor(pool, work))

    def _track(self, future: asyncio.Future[_T]) -> asyncio.Future[_T]:
        """Have `drain` wait for it."""
        self._running.add(future)  # type: ignore[arg-type]
        future.add_done_callback(self._running.discard)
        return future

    def _abandon(self, query: Query, done: "asyncio.Future[Reply]") -> None:
        if done.cancelled() or done.exception() is not None:
            return
        close = getattr(done.result().rest, "close", None)
        if close is not None:
            self._streamers(query).submit(close)

    def _common(self, query_id: str) -> dict[str, str]:
        return {
            "X-ClickHouse-Query-Id": query_id,
            "X-ClickHouse-Timezone": self._engine.timezone,
            "X-ClickHouse-Server-Display-Name": DISPLAY_NAME,
        }

    def _failure(self, error: EngineError, query_id: str, *, close: bool) -> web.Response:
        headers = {**self._common(query_id), "X-ClickHouse-Exception-Code": str(error.code)}
        if error.code == errors.AUTHENTICATION_FAILED[0]:
            headers["WWW-Authenticate"] = 'Basic realm="ClickHouse server HTTP API"'
        response = web.Response(text=error.body(self._engine.version), status=error.status, headers=headers)
        if close:
            response.force_close()
        return response


async def _send(request: web.Request, headers: dict[str, str], held: list[bytes]) -> web.StreamResponse:
    """A whole answer; a long one piece by piece, as joined it would be in memory twice. Empties `held`."""
    if len(held) <= 1:
        return web.Response(body=b"".join(held), headers=headers)
    response = web.StreamResponse(headers=headers)
    response.content_length = sum(map(len, held))
    held.reverse()
    try:
        await response.prepare(request)
        while held:
            await response.write(held.pop())
        await response.write_eof()
    except ClientConnectionError:
        pass
    return response


async def _ok(_request: web.Request) -> web.Response:
    return web.Response(text="Ok.\n")


async def listen(endpoint: Endpoint, host: str, port: int, side: Side) -> tuple[web.AppRunner, int]:
    """Start one listener; port 0 takes a free one. Returns its runner and the port it got."""
    runner = web.AppRunner(
        endpoint.app(side),
        access_log=None,
        handler_cancellation=True,
        auto_decompress=False,
        read_bufsize=_READ_BUFFER,
        max_line_size=1 << 20,
        shutdown_timeout=0.5,
    )
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    address = runner.addresses[0]
    return runner, int(address[1])
