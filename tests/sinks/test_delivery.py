"""A batch is repeated while the store is away, and a refused one gives up its culprit."""

import asyncio

import aiohttp
import pytest
from aiohttp import web
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError, ProgrammingError

from sinks.base import Backpressure, Batch, Rejected, SinkBroken, SinkError
from sinks.batching import Origin
from sinks.clickhouse import Address, ClickHouseSink, classified
from sinks.delivery import LONGEST_WAIT_S, Delivery, RowRefused
from sinks.memory import MemorySink
from sinks.telemetry import NoTelemetry
from sinks.verdicts import RULES, Verdict
from tests.sinks.making import JANUARY, encode, session


class Flaky(MemorySink):
    """A memory sink that fails first, and refuses one row for ever."""

    def __init__(self, *failures: SinkError, poison: bytes = b"none") -> None:
        super().__init__()
        self.failures = list(failures)
        self.poison = poison
        self.writes = 0

    async def write(self, batch: Batch) -> None:
        self.writes += 1
        if self.failures:
            raise self.failures.pop(0)
        if self.poison in batch.rows:
            raise Rejected("code 53 TYPE_MISMATCH", code=53)
        await super().write(batch)


class Notes(NoTelemetry):
    """What was told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def on_insert(self, table: str, rows: int, seconds: float) -> None:
        self.told.append((table, rows))

    def on_failure(self, table: str, code: int) -> None:
        self.told.append(code)

    def ready(self, is_ready: bool) -> None:
        self.told.append(is_ready)


ROWS = [encode(session(f"c:{number:03d}")) for number in range(100)]
ORIGINS = [Origin("shop.rows", 2, number) for number in range(100)]
BATCH = Batch("sessions", JANUARY, ROWS)


async def test_backpressure_is_waited_out_with_longer_and_longer_pauses() -> None:
    waits: list[float] = []
    notes = Notes()

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    sink = Flaky(*(Backpressure("too many parts", code=252) for _ in range(9)))
    await Delivery(sink, wait=wait, telemetry=notes, jitter=lambda: 1.0).deliver(BATCH, ORIGINS)
    assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0]
    assert len(sink.rows("sessions")) == 100
    assert notes.told == [*[252, False] * 9, ("sessions", 100), True]


async def test_jitter_halves_a_pause_at_most() -> None:
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    sink = Flaky(*(Backpressure("away") for _ in range(20)))
    await Delivery(sink, wait=wait, jitter=lambda: 0.0).deliver(BATCH, ORIGINS)
    assert waits[0] == 0.1
    assert waits[-1] == LONGEST_WAIT_S / 2


async def test_whoever_waits_may_give_up() -> None:
    async def wait(seconds: float) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await Delivery(Flaky(Backpressure("away")), wait=wait).deliver(BATCH, ORIGINS)


async def never(seconds: float) -> None:
    raise AssertionError("there is nothing to wait for")


@pytest.mark.parametrize("place", [0, 1, 49, 50, 98, 99])
async def test_of_a_refused_batch_the_culprit_is_named(place: int) -> None:
    sink = Flaky(poison=ROWS[place])
    with pytest.raises(
        RowRefused, match=rf"shop.rows\[2\]@{place}: table sessions refuses this row.*code 53"
    ):
        await Delivery(sink, wait=never).deliver(BATCH, ORIGINS)
    assert sink.writes < 12


async def test_an_unknown_error_stops_at_once() -> None:
    sink = Flaky(SinkBroken("code 4711", code=4711))
    with pytest.raises(SinkBroken):
        await Delivery(sink, wait=never).deliver(BATCH, ORIGINS)
    assert sink.writes == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DatabaseError("Code: 252. DB::Exception", code=252), Backpressure),
        (DatabaseError("Code: 241. DB::Exception", code=241), Backpressure),
        (OperationalError("Error Connection refused executing HTTP request"), Backpressure),
        (TimeoutError(), Backpressure),
        (ConnectionResetError("peer"), Backpressure),
        (aiohttp.ServerDisconnectedError(), Backpressure),
        (DatabaseError("Code: 117. DB::Exception", code=117), Rejected),
        (DatabaseError("Code: 60. DB::Exception", code=60), SinkBroken),
        (DatabaseError("Code: 4711. DB::Exception", code=4711), SinkBroken),
        (ProgrammingError("the client was used wrongly"), SinkBroken),
    ],
)
def test_what_an_error_means(error: Exception, kind: type[SinkError]) -> None:
    said = classified(error, "insert of 3 rows into sessions")
    assert type(said) is kind
    assert str(said).startswith("insert of 3 rows into sessions: ")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, Backpressure) for status in (429, 500, 502, 503, 504)),
        *((status, SinkBroken) for status in (401, 404, 413)),
    ],
)
async def test_an_answer_without_a_code_is_a_proxy_s(status: int, kind: type[SinkError]) -> None:
    async def proxy(request: web.Request) -> web.Response:
        return web.Response(status=status, text="<h1>not now</h1>")

    app = web.Application()
    app.router.add_route("*", "/", proxy)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    sink = ClickHouseSink(Address(f"http://{host}:{port}", "default"))
    with pytest.raises(kind, match=f"status {status}"):
        await sink.write(BATCH)
    await sink.close()
    await runner.cleanup()


def test_an_unclassified_code_says_where_to_classify_it() -> None:
    said = classified(DatabaseError("Code: 4711. DB::Exception: no idea", code=4711), "insert")
    assert "sinks/verdicts.py" in str(said)
    assert said.code == 4711


def test_every_stop_says_what_to_do_now() -> None:
    for code, rule in RULES.items():
        assert rule.name.isupper(), code
        assert rule.why, code
        if rule.verdict is Verdict.STOP:
            assert str(classified(DatabaseError("no", code=code), "insert")).count(rule.why) == 1
