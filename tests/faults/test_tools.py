"""Proxy and shim do to bytes and inserts what they say; otherwise the matrix would prove nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
import pytest
from aiohttp import web

from tests.faults.__main__ import is_meant
from tests.faults.matrix import CASES
from tests.faults.proxy import TcpProxy, Wire
from tests.faults.shim import Answer, ClickHouseShim
from tests.faults.soak import Sample, flatness

SOON = 0.2


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    """The port of a server that sends back every line, counted."""
    lines = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal lines
        while line := await reader.readline():
            lines += 1
            writer.write(b"%d %s" % (lines, line))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_bytes_are_held_and_pass_afterwards(echo: int) -> None:
    async with TcpProxy(echo) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"a\n")
        assert await reader.readline() == b"1 a\n"
        for wire in (Wire.HELD, Wire.NO_ANSWERS):
            proxy.set(wire)
            writer.write(b"b\n")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.readline(), SOON)
            proxy.set(Wire.WHOLE)
            assert (await reader.readline()).endswith(b" b\n")
        writer.close()
        await writer.wait_closed()


async def test_a_cut_is_a_reset_and_new_connections_pass(echo: int) -> None:
    async with TcpProxy(echo) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"a\n")
        await reader.readline()
        assert proxy.cut() == 2
        with suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"b\n")
        assert await reader.readline() == b"2 b\n"
        writer.close()
        await writer.wait_closed()


async def test_an_insert_is_applied_and_denied_and_a_query_passes() -> None:
    applied: list[bytes] = []

    async def house(request: web.Request) -> web.Response:
        applied.append(await request.read())
        return web.Response(text="done")

    app = web.Application()
    app.router.add_route("*", "/", house)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    insert = {"query": "INSERT INTO t FORMAT MsgPack"}
    async with ClickHouseShim(f"http://{host}:{port}") as shim, aiohttp.ClientSession() as client:
        shim.answer(Answer.APPLIED_500, Answer.AWAY, Answer.TOO_MANY_PARTS, Answer.TRUE)
        statuses, codes = [], []
        for number in range(4):
            async with client.post(shim.url, params=insert, data=b"%d" % number) as answer:
                statuses.append(answer.status)
                codes.append(answer.headers.get("X-ClickHouse-Exception-Code"))
        assert statuses == [500, 503, 500, 200]
        assert codes == [None, None, "252", None]
        assert applied == [b"0", b"3"]
        shim.answer(Answer.APPLIED_CUT)
        with pytest.raises(aiohttp.ClientError):
            await client.post(shim.url, params=insert, data=b"4")
        assert applied[-1] == b"4"
        async with client.post(shim.url, data=b"SELECT 1") as answer:
            assert await answer.text() == "done"
    await runner.cleanup()


def test_a_case_is_named_by_its_number_or_by_how_its_name_begins() -> None:
    meant = {
        words: [name for name in CASES if is_meant(name, words)] for words in ("F2", "F17", "F1 kill -9 at")
    }
    assert [names[0].split()[0] for names in meant.values()] == ["F2", "F12/F17", "F1"]
    assert all(len(names) == 1 for names in meant.values())


def test_growth_is_told_within_lives_once_their_caches_are_warm() -> None:
    grown = flatness([Sample(hour / 10, 0, 100.0 + hour) for hour in range(50)])
    assert grown["memory_slope_mb_per_h"] == pytest.approx(10.0)
    assert grown["worker_most_mb"] == 149.0
    # What a history grows by until the first of it is forgotten is no growth of a worker's.
    filled = flatness([Sample(hour / 10, 0, min(100.0 + hour, 120.0)) for hour in range(50)], since=2.0)
    assert filled["memory_slope_mb_per_h"] == 0.0
    # Each life of half an hour fills its caches for five minutes, and is even then.
    life = [40.0, 70.0, 90.0, *[100.0] * 12]
    lives = flatness([Sample(place / 30, 0, life[place % 15]) for place in range(60)])
    assert lives["memory_slope_mb_per_h"] == 0.0
    assert "memory_slope_mb_per_h" not in flatness(
        [Sample(place / 30, 0, 40.0 + place) for place in range(5)]
    )
