"""Peers 1 to 4: the limit, a stock Faust agent, the processors alone, Shopmeter's worker; on the same topics."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from bench import accounts
from bench.groups import Groups, clear_outputs
from bench.peer import PeerResult
from bench.plan import PREFIX, Outcome, Plan, Row
from bench.stack import Stack
from bench.tasks import FaustTask, LimitTask, ProcessorsTask
from streams.settings import Settings

SETTLE_S = 2.0


class WorkerRun(Struct, kw_only=True):
    """What a worker did with the whole history, and the settings under which its rows lie in Kafka."""

    result: PeerResult
    settings: Any
    rows: int


async def repeated(times: int, run: Callable[[], Awaitable[PeerResult]]) -> tuple[PeerResult, list[float]]:
    """The median run by events/s, and the events/s of all."""
    results = [await run() for _ in range(times)]
    rates = [result.events / result.seconds for result in results]
    ranked = sorted(zip(rates, results, strict=True), key=lambda one: one[0])
    return ranked[len(ranked) // 2][1], rates


async def limit(stack: Stack, plan: Plan, outcome: Outcome) -> None:
    """aiokafka and orjson."""
    task = LimitTask(bootstrap=stack.bootstrap, prefix=PREFIX, partitions=plan.partitions)
    result, runs = await repeated(plan.repeat, lambda: stack.run_peer("limit", task))
    outcome.rows.append(
        Row(name="limit", what="aiokafka getmany + orjson.loads, no state", result=result, runs=runs)
    )


async def faust(stack: Stack, plan: Plan, outcome: Outcome) -> None:
    """A stock agent with a table. Once: it is slow, and its topics and group are its own."""
    task = FaustTask(
        bootstrap=stack.bootstrap,
        prefix=PREFIX,
        partitions=plan.partitions,
        events=plan.faust_events,
        directory=str(stack.directory / "faust"),
    )
    result = await stack.run_peer("faust_table", task)
    rate = result.events / result.seconds
    what = "stock Faust agent + Table, counts by person"
    outcome.rows.append(Row(name="faust", what=what, result=result, runs=[rate]))


async def processors(stack: Stack, plan: Plan, outcome: Outcome, cache: Path) -> None:
    """Bytes in memory to rows in memory."""
    task = ProcessorsTask(
        events=plan.events, people=plan.people, days=plan.days, cache=str(cache), partitions=plan.partitions
    )
    result, runs = await repeated(plan.repeat, lambda: stack.run_peer("processors", task))
    what = "Shopmeter's processors, bytes in memory to rows"
    outcome.rows.append(Row(name="processors", what=what, result=result, runs=runs))


async def worker(stack: Stack, groups: Groups, plan: Plan, outcome: Outcome, truth: PeerResult) -> WorkerRun:
    """Kafka to committed rows, no sink running. Leaves the rows of the last run in their topics."""
    done: list[WorkerRun] = []

    async def once() -> PeerResult:
        settings = stack.settings(f"worker-{len(done) + 1}", prefix=PREFIX, partitions=plan.partitions)
        await clear_outputs(stack, settings)
        done.append(await run_worker(stack, groups, settings))
        check_counts(done[-1].result, truth)
        return done[-1].result

    result, runs = await repeated(plan.repeat if "worker" in plan.only else 1, once)
    what = "Shopmeter worker, Kafka to committed rows"
    outcome.rows.append(Row(name="worker", what=what, result=result, runs=runs))
    return done[-1]


async def run_worker(stack: Stack, groups: Groups, settings: Settings) -> WorkerRun:
    """Start one, let it take everything there is, stop it."""
    ends = await groups.ends(settings.topics.sources, settings.partitions)
    broker = stack.usage("kafka").cpu_s
    label, account = await stack.start_process("worker", settings)
    await groups.until_at(settings.application, ends)
    used = stack.usage(label)
    broker = stack.usage("kafka").cpu_s - broker
    sums = await stack.stop_process(label, account)
    result = worker_result(accounts.read(account), sums, peak_mb=used.peak_mb, process_cpu_s=used.cpu_s)
    result.detail["broker_cpu_s"] = broker
    return WorkerRun(result=result, settings=settings, rows=sum(sums["rows"].values()))


def worker_result(
    lines: list[dict[str, Any]], sums: dict[str, Any], *, peak_mb: float, process_cpu_s: float
) -> PeerResult:
    """From the first chunk (taken from its beginning) to the commit of the last source record."""
    first = next(line for line in lines if line["moment"] == "first_chunk")
    began, began_cpu_s = first["at"] - first["seconds"], first["cpu_s"] - first["seconds"]
    seconds = sums["last_commit_at"] - began
    events, rows = sums["committed"], sum(sums["rows"].values())
    return PeerResult(
        events=events,
        seconds=seconds,
        cpu_s=sums["last_commit_cpu_s"] - began_cpu_s,
        peak_mb=peak_mb,
        detail={
            "rows": rows,
            "rows_by_table": sums["rows"],
            "rows_per_event": rows / events,
            "rows_per_s": rows / seconds,
            "epochs": sums["epochs"],
            "changelog_mb": sums["changelog_bytes"] / 1_048_576,
            "process_chunks_s": sums["process_s"],
            "gc_s": sums["gc_s"],
            "start_cpu_s": began_cpu_s,
            "process_cpu_s": process_cpu_s,
            "buckets": sums["buckets"],
        },
    )


class Wrong(RuntimeError):
    """A run gave other numbers than the simulator's account: its speed is worth nothing."""


def check_counts(result: PeerResult, truth: PeerResult) -> None:
    """Every record committed once, in the bucket that the simulator meant for it."""
    wanted = {name: truth.detail[name] for name in ("accepted", "duplicate", "dead_letter", "test_traffic")}
    found = {name: result.detail["buckets"].get(name, 0) for name in wanted}
    if result.events != truth.events or found != wanted:
        raise Wrong(
            f"the worker committed {result.events} records as {result.detail['buckets']};"
            f" the simulator wrote {truth.events} as {wanted}"
        )
