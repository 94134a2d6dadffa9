"""Accounts that must balance: what is on its way is no mismatch, and what is lost is found within a minute."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.audit import _READ
from processors.forwarding import KIND, TOPIC
from processors.pipeline import make_factory
from processors.progress import FROM
from schemas.epoch import Record
from schemas.rows import LedgerRow
from schemas.stores import Store
from sinks.clickhouse import Address
from sinks.dead_letters import dead_letter_row
from sinks.migrate import migrate
from streams.conservation import (
    _BUCKETS,
    _FORWARDED,
    _LETTERS,
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
from streams.engine.state.memory import MemoryStore
from streams.settings import ClickHouseSettings, Settings
from streams.telemetry import ProbeSignals
from tests.fixtures.clickhouse import ClickHouseEndpoint

LETTERS = Account(Check.LETTERS, "click", 3)
WITHDRAWAL = Path("docs/stores.md").read_text(encoding="utf-8").split("```sql\n")[1].split("```")[0]
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

    def letter(
        self,
        offset: int,
        *,
        deleted: int = 0,
        topic: str = "click",
        reason: str = "wrong_type",
        field: str = "",
    ) -> None:
        self.client.command(
            "INSERT INTO dead_letters (topic, partition, offset, born, reason, field, version, is_deleted) VALUES"
            f" ('{topic}', 3, {offset}, '2026-01-01', '{reason}', '{field}', {1 + deleted}, {deleted})"
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
async def test_every_account_holds_after_an_event_news_and_junk_were_set_aside(server: Server) -> None:
    skips = {("forwarded", 3): frozenset({0, 1, 2})}
    pipeline = make_factory({"acme": Store()}, partitions=4, skips=skips)(3, MemoryStore(3), None)
    kinds = (
        ((FROM, b"1:1:0:0"), (KIND, b"event"), (TOPIC, b"click")),
        ((FROM, b"1:2:0:0"), (KIND, b"link")),
        (),
    )
    pipeline.process(
        "forwarded",
        [Record(offset, 1_767_225_600_000, None, b"", headers) for offset, headers in enumerate(kinds)],
    )
    epoch = pipeline.flush()
    assert epoch is not None
    server.ledger("click", 1, read=1, forwarded=1)  # the sender's: of the event alone
    for _, row in epoch.rows.get("ledger", ()):
        found = msgspec.msgpack.decode(row, type=LedgerRow)
        server.ledger(found.topic, 1, read=found.read, dead_letter=found.dead_letter)
        server.client.command("ALTER TABLE ledger UPDATE reason_counts = [dead_letter] WHERE dead_letter > 0")
    for sent in epoch.outgoing:
        letter = dead_letter_row(
            partition=0, offset=0, timestamp=0, key=None, value=b"", headers=sent.headers
        )
        server.letter(letter.offset, topic=letter.topic, reason=letter.reason, field=letter.field)
    assert server.client.command("SELECT count() FROM dead_letters") == 3
    async with BooksReader(server.address) as reader:
        books = await reader.read()
    assert books == {
        Account(Check.FORWARDED, "forwarded", -1): Sums(1, 1),
        Account(Check.LETTERS, "forwarded", 3): Sums(1, 1),
        Account(Check.LETTERS, "click", 3): Sums(0, 0),
    }


@pytest.mark.clickhouse
@pytest.mark.parametrize("sql", [_BUCKETS, _FORWARDED, _LETTERS, _READ])
def test_months_are_merged_apart_for_a_user_who_may_only_read(server: Server, sql: str) -> None:
    assert sql.count(" FINAL ") == sql.count("do_not_merge_across_partitions_select_final = 1")
    # The operator's profile: a setting at the end of the query would be refused, and the check be off for ever.
    server.client.query(sql, settings={"readonly": 1})


@pytest.mark.clickhouse
async def test_letters_of_an_old_application_are_withdrawn_as_the_manual_says(server: Server) -> None:
    began = 1_769_938_200_000  # 2026-02-01 09:30
    kept_hour, new_hour = "2026-01-01 00:00:00", "2026-01-20 10:00:00"
    for hour, version, letters in (
        (kept_hour, began - 9, 1),
        (new_hour, began - 9, 2),
        (new_hour, began + 9, 1),
    ):
        server.client.command(
            "INSERT INTO ledger (topic, partition, hour, born, version, read, dead_letter) VALUES"
            f" ('click', 3, '{hour}', toDate('{hour}'), {version}, 9, {letters})"
        )
    # Of an hour that was not read again; refused by the old one only; and by both, so it was written twice.
    for offset, hour, seen in ((1, kept_hour, -9), (2, new_hour, -9), (3, new_hour, -9), (3, new_hour, 9)):
        server.client.command(
            "INSERT INTO dead_letters"
            " (topic, partition, offset, born, record_time, first_seen_at, reason, version) VALUES"
            f" ('click', 3, {offset}, toDate('{hour}'), toDateTime64('{hour}', 3, 'UTC') + 61,"
            f" fromUnixTimestamp64Milli({began + seen}), 'wrong_type', 1)"
        )
    async with BooksReader(server.address) as reader:
        account = Account(Check.LETTERS, "click", 3)
        assert (await reader.read())[account] == Sums(2, 3)
        server.client.command(WITHDRAWAL)
        assert (await reader.read())[account] == Sums(2, 2)
    left = server.client.query("SELECT offset FROM dead_letters FINAL ORDER BY offset").result_rows
    assert left == [(1,), (3,)]


@pytest.mark.clickhouse
async def test_an_empty_database_balances(server: Server) -> None:
    async with BooksReader(server.address) as reader:
        books = await reader.read()
    assert set(books.values()) == {Sums(0, 0)}
