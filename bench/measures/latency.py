"""Figure 7: from producing an event to its row being readable, under a steady load."""

import asyncio
from typing import Any

from bench.plan import Figure, Outcome, Plan
from bench.stack import Stack
from bench.tasks import ProbeTask, TrafficTask
from schemas.stores import Store

PREFIX = "live."
QUIET_S = 2.0


async def latency(stack: Stack, plan: Plan, outcome: Outcome, stores: dict[str, Store]) -> None:
    """Worker, sink and ClickHouse on topics of their own, live traffic, and probes of one event and one row each."""
    settings = stack.settings("live", prefix=PREFIX, partitions=plan.partitions, database="live")
    await stack.make_topics(settings)
    await stack.make_database(settings, stores)
    place: dict[str, Any] = {
        "bootstrap": stack.bootstrap,
        "prefix": PREFIX,
        "partitions": plan.partitions,
    }
    whole_s = plan.latency_warm_up_s + plan.latency_s + QUIET_S
    service, result = stack.begin_peer_service(
        "traffic", TrafficTask(people=plan.people, rate=plan.latency_rate, seconds=whole_s, **place)
    )
    sink, sink_account = await stack.start_process("sink", settings)
    worker, account = await stack.start_process("worker", settings)
    await stack.supervisor.start(service)
    while not result.with_suffix(".sending").exists():
        stack.supervisor.pid(service.name)  # raises when it has ended
        await asyncio.sleep(0.02)
    before = {name: stack.usage(name).cpu_s for name in (worker, sink, "clickhouse", "kafka")}
    task = ProbeTask(
        url=stack.url,
        database="live",
        rate=plan.probes_a_second,
        warm_up_s=plan.latency_warm_up_s,
        seconds=plan.latency_s,
        **place,
    )
    probes = await stack.run_peer("probes", task)
    after = {name: stack.usage(name).cpu_s for name in before}
    traffic = await stack.finish_peer(service, result)
    await stack.stop_process(worker, account)
    await stack.stop_process(sink, sink_account)
    rate = traffic.events / traffic.seconds
    how = (
        f"{probes.events} probe events over {plan.latency_s:.0f} s beside {rate:,.0f} events/s, from before the send"
        f" until a query polled every {task.poll_s * 1000:.0f} ms shows the row"
        f" (query p50 {probes.detail['query_p50_s'] * 1000:.0f} ms);"
        f" the traffic was at most {traffic.detail['behind_s'] * 1000:.0f} ms behind its pace"
    )
    for name, key, goal in (
        ("produce to visible, p50", "p50_s", ""),
        ("produce to visible, p99", "p99_s", "<= 2 s"),
        ("produce to visible, max", "max_s", ""),
        ("of it, produce to committed row in Kafka, p50", "committed_p50_s", ""),
        ("of it, produce to committed row in Kafka, p99", "committed_p99_s", ""),
    ):
        outcome.figures.append(Figure(name=name, value=probes.detail[key], unit="s", goal=goal, how=how))
    cores = {name.partition("-")[0]: (after[name] - before[name]) / probes.seconds for name in before}
    # They measure, and take from the same machine.
    cores |= {"traffic": traffic.cpu_s / traffic.seconds, "probes": probes.cpu_s / probes.seconds}
    outcome.detail["latency"] = {
        "probes": probes.detail, "traffic": traffic.detail, "events_per_s": rate, "cores_used": cores,
    }  # fmt: skip
