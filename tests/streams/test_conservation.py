"""Accounts that must balance: what is on its way is no mismatch, and what is lost is found within a minute."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.clickhouse import Address
from sinks.migrate import migrate
from streams.conservation import (
    DELAY_S,
    INTERVAL_S,
    Account,
    BooksReader,
    Check,
    Mismatch,
    Sums,
    Watch,
    compared,
    describe,
    watch,
)
from streams.settings import ClickHouseSettings, Settings
from streams.telemetry import ProbeSignals
from tests.fixtures.clickhouse import ClickHouseEndpoint

LETTERS = Account(Check.LETTERS, "click", 3)
ROW = Account(Check.BUCKETS, "click", 3, 1_767_225_600_000)


def test_what_is_on_its_way_is_no_mismatch_and_what_never_comes_is_one() -> None:
    watching = Watch(delay_s=30)
    assert watching.judge({LETTERS: Sums(5, 0)}, 0) is None
    assert watching.judge({LETTERS: Sums(9, 5)}, 20) is None
    assert watching.judge({LETTERS: Sums(12, 9)}, 30) == []
    assert watching.judge({LETTERS: Sums(15, 8)}, 50) == [Mismatch(LETTERS, 15, 8)]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=80), st.data())
def test_no_load_makes_a_mismatch_and_one_record_lost_shows_at_any(
    arrivals: list[int], data: st.DataObject
) -> None:
    """One record a tick and more; the other side sees each up to two ticks later. The delay is three."""
    sums = [sum(arrivals[: index + 1]) for index in range(len(arrivals))]
    late = [sums[max(index - data.draw(st.integers(0, 2)), 0)] for index in range(len(sums))]
    late = [max(late[: index + 1]) for index in range(len(late))]
    for lost in (0, 1):
        watching = Watch(delay_s=3)
        for tick, (told, found) in enumerate(zip(sums, late, strict=True)):
            judged = watching.judge({LETTERS: Sums(told, max(found - lost, 0))}, tick)
            assert not judged or lost
        if lost and sums[-1]:
            at = len(sums)
            judged = None
            for tick in range(at, at + 4):
                judged = watching.judge({LETTERS: Sums(sums[-1], sums[-1] - 1)}, tick)
            assert judged == [Mismatch(LETTERS, sums[-1], sums[-1] - 1)]


def test_too_many_are_found_like_too_few_and_an_account_may_be_new_or_gone() -> None:
    assert compared({LETTERS: Sums(1, 2)}, {LETTERS: Sums(1, 2)}) == [Mismatch(LETTERS, 1, 2)]
    assert compared({}, {LETTERS: Sums(1, 0)}) == []
    assert compared({LETTERS: Sums(1, 1)}, {}) == [Mismatch(LETTERS, 0, 0)]


def test_a_row_that_does_not_add_up_is_told_at_once_and_what_is_forgotten_is_not_compared() -> None:
    watching = Watch(delay_s=30)
    watching.judge({ROW: Sums(5, 4)}, 0)
    watching.forget()
    assert watching.judge({ROW: Sums(5, 4)}, 31) is None
    assert watching.judge({ROW: Sums(5, 4)}, 61) == [Mismatch(ROW, 5, 4)]
    assert "click/3" in describe(Mismatch(ROW, 5, 4))


def test_a_mismatch_is_told_within_a_minute() -> None:
    # It may come just after a look, has to be old enough at one, and be compared at the next.
    assert INTERVAL_S + DELAY_S + INTERVAL_S < 60


class Server:
    """Accounts in a database of their own, and a watch on it."""

    def __init__(self, endpoint: ClickHouseEndpoint, database: str, directory: Path) -> None:
        self.settings = Settings(
            data_dir=directory, clickhouse=ClickHouseSettings(url=endpoint.url, database=database)
        )
        self.address = Address(endpoint.url, database)
        migrate(self.address, {})
        self.client = endpoint.client(database)
        self.signals = ProbeSignals("test", 4)

    def ledger(self, topic: str, version: int, **counts: int) -> None:
        names = ", ".join(counts)
        values = ", ".join(map(str, counts.values()))
        self.client.command(
            f"INSERT INTO ledger (topic, partition, hour, born, version, {names})"
            f" VALUES ('{topic}', 3, toDateTime64(1767225600, 3, 'UTC'), '2026-01-01', {version}, {values})"
        )

    def letter(self, offset: int, *, deleted: int = 0) -> None:
        self.client.command(
            "INSERT INTO dead_letters (topic, partition, offset, born, reason, version, is_deleted)"
            f" VALUES ('click', 3, {offset}, '2026-01-01', 'wrong_type', {1 + deleted}, {deleted})"
        )

    def told(self) -> Mapping[str, float | None]:
        return {
            check: self.signals.value("shopmeter_conservation_mismatch", check)
            for check in ("buckets", "forwarded", "letters")
        }


@pytest.fixture
def server(clickhouse: ClickHouseEndpoint, clickhouse_database: str, tmp_path: Path) -> Server:
    return Server(clickhouse, clickhouse_database, tmp_path)


async def until(holds: Callable[[], bool], server: Server) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.02)
    assert holds(), server.told()


@pytest.mark.clickhouse
async def test_injected_mismatches_of_each_kind_are_on_the_gauge(server: Server) -> None:
    server.ledger("click", 1, read=10, accepted=6, dead_letter=2, forwarded=2)
    server.client.command("ALTER TABLE ledger UPDATE reasons = ['wrong_type'], reason_counts = [2] WHERE 1")
    server.ledger("forwarded", 1, read=2, accepted=2)
    for offset in (1, 2):
        server.letter(offset)
    lag = [0.0]
    watching = asyncio.create_task(
        watch(server.settings, server.signals, lambda: lag[0], interval_s=0.05, delay_s=0.3)
    )
    try:
        fine = {"buckets": 0.0, "forwarded": 0.0, "letters": 0.0}
        await until(lambda: server.told() == fine, server)
        server.letter(2, deleted=1)
        await until(lambda: server.told() == fine | {"letters": 1.0}, server)
        server.ledger("forwarded", 2, read=3, accepted=3)
        await until(lambda: server.told() == fine | {"letters": 1.0, "forwarded": 1.0}, server)
        server.ledger("cart", 1, read=7, accepted=3)
        await until(lambda: server.told()["buckets"] == 4.0, server)
        # Behind, and nothing is said of what may be on its way.
        lag[0] = 100.0
        await until(lambda: server.told() == {"buckets": 4.0, "forwarded": None, "letters": None}, server)
    finally:
        watching.cancel()


class Counting:
    """Passes on what is told, and counts the failures."""

    def __init__(self, signals: ProbeSignals) -> None:
        self.signals = signals
        self.failures = 0

    def on_conserved(self, records: Mapping[str, int]) -> None:
        self.signals.on_conserved(records)

    def on_unaudited(self) -> None:
        self.failures += 1
        self.signals.on_unaudited()


@pytest.mark.clickhouse
async def test_a_server_that_is_away_leaves_no_old_answer(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.signals.on_conserved({"buckets": 0})
    away = server.settings.model_copy(
        update={"clickhouse": server.settings.clickhouse.model_copy(update={"url": "http://127.0.0.1:1"})}
    )
    counting = Counting(server.signals)
    watching = asyncio.create_task(watch(away, counting, lambda: 0.0, interval_s=0.02))
    try:
        await until(lambda: server.told()["buckets"] is None, server)
        await until(lambda: counting.failures > 3, server)
    finally:
        watching.cancel()
    assert len([one for one in caplog.records if "the ledger can't be read" in one.getMessage()]) == 1


@pytest.mark.clickhouse
async def test_an_empty_database_balances(server: Server) -> None:
    async with BooksReader(server.address) as reader:
        books = await reader.read()
    assert set(books.values()) == {Sums(0, 0)}
