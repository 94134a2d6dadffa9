"""Peers 5 and 6: the sink alone on the rows of a worker's run, and worker and sink together to rows that can be read."""

from typing import Any

import aiohttp
import orjson

from bench import accounts
from bench.groups import Groups, clear_outputs
from bench.measures.throughput import WorkerRun, Wrong, check_counts, worker_result
from bench.peer import PeerResult
from bench.plan import PREFIX, Figure, Outcome, Plan, Row
from bench.stack import Stack
from schemas.stores import Store
from streams.settings import Settings

ROWS_GOAL = 1.5


async def sink(
    stack: Stack,
    groups: Groups,
    outcome: Outcome,
    run: WorkerRun,
    truth: PeerResult,
    stores: dict[str, Store],
) -> None:
    """All rows of the worker's run into an empty database; nothing else runs."""
    settings: Settings = run.settings
    await stack.make_database(settings, stores)
    ends = await groups.ends(settings.topics.sunk, settings.partitions)
    house = stack.usage("clickhouse").cpu_s
    label, account = await stack.start_process("sink", settings)
    await groups.until_at(f"{settings.application}-sink", ends)
    house, used = stack.usage("clickhouse").cpu_s - house, stack.usage(label)
    sums = await stack.stop_process(label, account)
    began = accounts.moments(account, "ready")[0]
    rows = sum(sums["rows"].values())
    result = PeerResult(
        events=rows,
        seconds=sums["last_insert_at"] - began["at"],
        cpu_s=sums["last_insert_cpu_s"] - began["cpu_s"],
        peak_mb=used.peak_mb,
        detail={"clickhouse_cpu_s": house, "rows_by_table": sums["rows"], "inserts": sums["inserts"]},
    )
    if sums["failures"]:
        raise Wrong(f"{sums['failures']} inserts of the sink failed; see its log")
    await check_tables(stack, settings, truth)
    what = "Shopmeter sink alone, rows in Kafka to ClickHouse"
    outcome.rows.append(Row(name="sink", what=what, result=result, runs=[rows / result.seconds], unit="rows"))
    ratio = rows / result.seconds / run.result.detail["rows_per_s"]
    how = "the sink's rows/s over the rows/s of the worker run that made these rows"
    outcome.figures.append(
        Figure(name="sink beside worker", value=ratio, unit="x", goal=f">= {ROWS_GOAL}", how=how)
    )


async def together(
    stack: Stack, groups: Groups, plan: Plan, outcome: Outcome, truth: PeerResult, stores: dict[str, Store]
) -> None:
    """Worker and sink at once, from the first chunk to the insert that makes the last row visible."""
    settings = stack.settings("together", prefix=PREFIX, partitions=plan.partitions, database="together")
    await clear_outputs(stack, settings)
    await stack.make_database(settings, stores)
    ends = await groups.ends(settings.topics.sources, settings.partitions)
    house = stack.usage("clickhouse").cpu_s
    sink_label, sink_account = await stack.start_process("sink", settings)
    label, account = await stack.start_process("worker", settings)
    await groups.until_at(settings.application, ends)
    await groups.until_at(
        f"{settings.application}-sink", await groups.ends(settings.topics.sunk, plan.partitions)
    )
    used, sink_used = stack.usage(label), stack.usage(sink_label)
    house = stack.usage("clickhouse").cpu_s - house
    sums = await stack.stop_process(label, account)
    worked = worker_result(accounts.read(account), sums, peak_mb=used.peak_mb, process_cpu_s=used.cpu_s)
    check_counts(worked, truth)
    sink_sums = await stack.stop_process(sink_label, sink_account)
    await check_tables(stack, settings, truth)
    began = sums["last_commit_at"] - worked.seconds
    result = PeerResult(
        events=worked.events,
        seconds=sink_sums["last_insert_at"] - began,
        cpu_s=used.cpu_s + sink_used.cpu_s + house,
        peak_mb=used.peak_mb + sink_used.peak_mb,
        detail={
            "worker_seconds": worked.seconds,
            "worker_cpu_s": used.cpu_s,
            "sink_cpu_s": sink_used.cpu_s,
            "clickhouse_cpu_s": house,
            "rows_by_table": sink_sums["rows"],
        },
    )
    what = "Shopmeter worker + sink, Kafka to rows visible in ClickHouse"
    outcome.rows.append(Row(name="together", what=what, result=result, runs=[result.events / result.seconds]))


async def check_tables(stack: Stack, settings: Settings, truth: PeerResult) -> None:
    """What ClickHouse says is what the simulator knows: records by bucket, orders, captured revenue."""
    ledger = await query(
        stack,
        settings,
        "SELECT sum(read) AS events, sum(accepted) AS accepted, sum(duplicate) AS duplicate,"
        " sum(dead_letter) AS dead_letter, sum(test_traffic) AS test_traffic FROM ledger FINAL",
    )
    orders = await query(stack, settings, "SELECT count() AS orders, sum(total) AS revenue FROM orders FINAL")
    found = {name: int(value) for name, value in {**ledger, **orders}.items()}
    wanted = {"events": truth.events} | {name: truth.detail[name] for name in found if name != "events"}
    if found != wanted:
        raise Wrong(f"ClickHouse says {found}; the simulator wrote {wanted}")


async def query(stack: Stack, settings: Settings, sql: str) -> dict[str, Any]:
    """The one row of a query."""
    database = settings.clickhouse.database
    async with aiohttp.ClientSession() as http:
        params = {"database": database}
        async with http.post(stack.url, params=params, data=f"{sql} FORMAT JSONEachRow") as answer:
            text = await answer.text()
    if answer.status != 200:
        raise RuntimeError(f"ClickHouse answers {answer.status} to {sql}: {text[:300]}")
    row: dict[str, Any] = orjson.loads(text)
    return row
