"""How long a report of all metrics takes over 30 days of a store of ten million events, and which query takes longest."""

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from clickhouse_connect import get_client

from bench.measures.report_rows import AS_OF_MS, DAYS, STORE, ZONE, Sizes, inserts
from bench.plan import Figure, Outcome, Plan
from bench.stack import Stack
from dashboard.asking import Ask
from dashboard.report import report
from deploy.query import Server
from deploy.reader import Reader
from schemas.metrics import METRICS, SHOWN
from schemas.stores import Store
from schemas.tables import TABLES
from sinks.clickhouse import Address
from sinks.migrate import migrate

DATABASE: Final = "report"
WARM_UPS: Final = 3
LOAD_SECONDS: Final = 600
# The store reports in no currency.
ASKED: Final = sum(not METRICS[name].reporting for name in SHOWN)
_READ: Final = re.compile(r"FROM (\w+)(?: AS \w+)? FINAL")


class Timed:
    """A client that asks one query at a time and remembers how long each took."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._turn = asyncio.Lock()
        self.seconds: list[tuple[str, float]] = []

    async def query(self, sql: str, **named: Any) -> Any:
        """As the client's own."""
        async with self._turn:
            began = time.perf_counter()
            answer = await self._client.query(sql, **named)
            self.seconds.append((name_of(sql), time.perf_counter() - began))
            return answer


def name_of(sql: str) -> str:
    """What a query reads and gives, to tell it from the others."""
    tables = " + ".join(dict.fromkeys(_READ.findall(sql))) or "stores"
    first = re.search(r" AS (\w+?)_?(?:,|\n)", sql)
    return f"{tables} ({first[1]}, ...)" if first else tables


async def reporting(stack: Stack, plan: Plan, outcome: Outcome) -> None:
    """Rows made by SQL, then the same report again and again, its queries at the same time as the API sends them."""
    sizes = Sizes.of(plan.report_events)
    began = time.perf_counter()
    rows = await asyncio.to_thread(_fill, stack.url, sizes)
    stack.say(f"{rows:,} rows of {plan.report_events:,} events made in {time.perf_counter() - began:.0f} s")
    ask = Ask(store=STORE, as_of=AS_OF_MS)
    times = []
    async with Reader(Server(stack.url, DATABASE)) as reader:
        client = await reader.client()
        for _ in range(WARM_UPS):
            await report(client, ask)
        before = stack.usage("clickhouse").cpu_s
        for _ in range(plan.report_runs):
            clock = time.perf_counter()
            await report(client, ask)
            times.append(time.perf_counter() - clock)
        cpu = (stack.usage("clickhouse").cpu_s - before) / plan.report_runs
        timed = Timed(client)
        await report(timed, ask)
    times.sort()
    alone = sorted(timed.seconds, key=lambda item: -item[1])
    how = (
        f"{ASKED} metrics over 30 days beside the 30 before, {plan.report_runs} times; {sizes.sessions:,} sessions,"
        f" {sizes.orders:,} orders, {sizes.exposures:,} exposures of {DAYS} days in one store, the running month in"
        f" several parts; ClickHouse spent {cpu * 1000:.0f} ms of CPU on each"
    )
    for name, part, goal in (("p50", 0.5, ""), ("p95", 0.95, "<= 300 ms"), ("max", 1.0, "")):
        taken = times[min(len(times) - 1, int(part * len(times)))]
        outcome.figures.append(
            Figure(name=f"report, {name}", value=taken * 1000, unit="ms", goal=goal, how=how if goal else "")
        )
    slowest, seconds = alone[0]
    outcome.figures.append(
        Figure(name="report, slowest query", value=seconds * 1000, unit="ms", how=f"asked alone: {slowest}")
    )
    outcome.detail["report"] = {
        "seconds": times,
        "cpu_s": cpu,
        "queries": [{"reads": name, "seconds": taken} for name, taken in alone],
    }


def _fill(url: str, sizes: Sizes) -> int:
    """Make the tables and their rows; how many."""
    address = Address(url, DATABASE)
    migrate(address, {STORE: Store(name="Acme", zone=ZONE)})
    with _client(address) as client:
        for sql in inserts(sizes):
            client.command(sql)
        return sum(int(client.command(f"SELECT count() FROM {table}")) for table in TABLES)


@contextmanager
def _client(address: Address) -> Iterator[Any]:
    options = address.client_options() | {"send_receive_timeout": LOAD_SECONDS}
    client = get_client(**options, database=address.database)
    try:
        yield client
    finally:
        client.close()
