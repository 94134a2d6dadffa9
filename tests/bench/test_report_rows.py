"""Generated rows of the report's bench: all tables fit, what belongs together agrees, and every metric has an answer."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from bench.measures.report_rows import AS_OF_MS, STORE, ZONE, Sizes, inserts
from bench.measures.reporting import name_of
from dashboard.asking import Ask, Report
from dashboard.report import report
from deploy.query import Server
from deploy.reader import Reader
from schemas.metrics import METRICS, SHOWN
from schemas.stores import Store
from sinks.clickhouse import Address
from sinks.migrate import migrate
from tests.fixtures.clickhouse import ClickHouseEndpoint

SIZES = Sizes.of(20_000)

# The store reports in no currency.
ASKED = {name for name in SHOWN if not METRICS[name].reporting}


@pytest.fixture(scope="module")
def database(clickhouse: ClickHouseEndpoint) -> Iterator[str]:
    name = f"test_{uuid4().hex[:12]}"
    migrate(Address(clickhouse.url, name), {STORE: Store(zone=ZONE)})
    with clickhouse.client(name) as client:
        for sql in inserts(SIZES):
            client.command(sql)
        yield name
        client.command(f"DROP DATABASE {name} SYNC")


async def test_a_report_of_generated_rows_answers_everything(
    clickhouse: ClickHouseEndpoint, database: str
) -> None:
    async with Reader(Server(clickhouse.reader_url, database)) as reader:
        found: Report = await report(await reader.client(), Ask(store=STORE))
    assert found.data_as_of == AS_OF_MS
    assert {value.metric for value in found.values} == ASKED
    # 60 days make 1600 sessions and 300 orders: about half of them lie in the last 30 days, none is counted twice.
    sessions, orders = found.one("total_sessions"), found.one("total_orders")
    assert sessions.current == pytest.approx(SIZES.sessions / 2, rel=0.02)
    assert orders.current == pytest.approx(SIZES.orders / 2, rel=0.05)
    nothing = ASKED - {value.metric for value in found.values if value.current}
    # March is still running: nobody is scored yet. One message and nothing else is rare in so few sessions.
    assert nothing <= {"best_customers", "lost_customers", "bounce_rate"}


async def test_a_reader_changes_nothing_even_where_it_might(
    clickhouse: ClickHouseEndpoint, database: str
) -> None:
    async with Reader(Server(clickhouse.url, database)) as reader:
        client = await reader.client()
        with pytest.raises(Exception, match="readonly"):
            await client.command("TRUNCATE TABLE sessions")
        assert (await client.query("SELECT count() > 0 FROM sessions")).result_rows == [(1,)]


def test_a_query_is_named_by_what_it_reads_and_gives() -> None:
    sql = "SELECT bucket, count() AS total_orders_, 1 AS x\n"
    sql += "FROM (SELECT 1 FROM orders AS o FINAL) JOIN (SELECT 1 FROM sessions FINAL)"
    assert name_of(sql) == "orders + sessions (total_orders, ...)"
