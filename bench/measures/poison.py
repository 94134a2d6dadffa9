"""What bad records cost: the worker on a history without any and on one in which every hundredth is, turn by turn."""

from collections import defaultdict
from pathlib import Path
from statistics import median

from bench.groups import Groups, clear_outputs
from bench.measures.throughput import check_counts, run_worker
from bench.peer import PeerResult
from bench.plan import Figure, Outcome, Plan
from bench.stack import Stack
from bench.tasks import LoadTask

SHARES = {"clean": 0.0, "poisoned": 0.01}


async def poison(stack: Stack, groups: Groups, plan: Plan, outcome: Outcome, cache: Path) -> None:
    """The two in alternating order, so that a busy minute of the machine meets both; medians are compared."""
    truths = {name: await _load(stack, plan, cache, name) for name in SHARES}
    rates: defaultdict[str, list[float]] = defaultdict(list)
    cpu_us: defaultdict[str, list[float]] = defaultdict(list)
    for turn in range(plan.poison_turns):
        for name in sorted(SHARES, reverse=bool(turn % 2)):
            settings = stack.settings(f"poison-{name}-{turn}", prefix=f"{name}.", partitions=plan.partitions)
            await clear_outputs(stack, settings)
            result = (await run_worker(stack, groups, settings)).result
            check_counts(result, truths[name])
            rates[name].append(result.events / result.seconds)
            cpu_us[name].append(result.cpu_s / result.events * 1e6)
    ratio = median(rates["poisoned"]) / median(rates["clean"])
    dearer = median(cpu_us["poisoned"]) / median(cpu_us["clean"])
    letters = truths["poisoned"].detail["dead_letter"] / truths["poisoned"].events
    how = (
        f"records/s of the worker, {letters:.1%} of {truths['poisoned'].events:,} records are dead letters, to none;"
        f" medians of {plan.poison_turns} turns"
    )
    by_cpu = "its CPU time a record, likewise: what a busy machine does not disturb"
    outcome.figures += [
        Figure(name="throughput at 1 % poison", value=ratio, unit="of that without", goal=">= 0.9", how=how),
        Figure(
            name="CPU a record at 1 % poison", value=dearer, unit="of that without", goal="<= 1.1", how=by_cpu
        ),
    ]
    outcome.detail["poison"] = {"records_per_s": dict(rates), "cpu_us_a_record": dict(cpu_us)}


async def _load(stack: Stack, plan: Plan, cache: Path, name: str) -> PeerResult:
    """The history of this name under a prefix of its own; what must come out."""
    settings = stack.settings(f"loading-{name}", prefix=f"{name}.", partitions=plan.partitions)
    await stack.make_topics(settings)
    task = LoadTask(
        bootstrap=stack.bootstrap,
        prefix=f"{name}.",
        partitions=plan.partitions,
        events=plan.poison_events,
        people=plan.people,
        days=plan.days,
        cache=str(cache),
        poison=SHARES[name],
    )
    return await stack.run_peer("load", task)
