"""One run: the stack up, the history loaded, the measures one after the other, everything gone again."""

import shutil
import tempfile
from pathlib import Path

from bench.groups import watching
from bench.history import the_history
from bench.measures import delivery, latency, person, poison, recovery, reporting, throughput
from bench.plan import PREFIX, Outcome, Plan
from bench.stack import Say, Stack, running
from bench.tasks import LoadTask

_ON_HISTORY = frozenset(("limit", "faust", "worker", "sink", "together"))


async def measure(plan: Plan, data: Path, say: Say, outcome: Outcome) -> None:
    """Everything that the plan names, into `outcome`, which holds what was done even when the rest fails.

    `data`: where the generated history is kept for the next time. Topics, state and tables lie in a temporary directory
    that is removed. Raises LocalStackError, PeerFailed, Stalled; Wrong when a run's numbers are not the simulator's.
    """
    directory = Path(tempfile.mkdtemp(prefix="shopmeter-bench-"))
    try:
        async with running(directory, say) as stack:
            await _measure(stack, plan, data, outcome)
    except Exception:
        say(f"the logs of what went wrong are kept in {_keep_logs(directory, data)}")
        raise
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _keep_logs(directory: Path, data: Path) -> Path:
    """Put the processes' logs where they outlast the run, as far as there are any."""
    kept = data / "failed-logs"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    for logs in (directory / "logs", directory / "kafka" / "logs"):
        # A broker that does not start leaves its own alone; an error here would hide that one.
        if logs.is_dir():
            shutil.copytree(logs, kept, dirs_exist_ok=True)
    return kept


async def _measure(stack: Stack, plan: Plan, data: Path, outcome: Outcome) -> None:
    stores = the_history(plan.events, plan.people, plan.days).settings()
    scenario = the_history(plan.events, plan.people, plan.days)
    (stack.directory / "stores.toml").write_text(scenario.stores_toml())
    if _ON_HISTORY.intersection(plan.only):
        await _on_history(stack, plan, data, outcome)
    if "processors" in plan.only:
        stack.say("processors in memory")
        await throughput.processors(stack, plan, outcome, data)
    if "latency" in plan.only:
        stack.say("latency")
        await latency.latency(stack, plan, outcome, stores)
    if "recovery" in plan.only:
        stack.say("recovery")
        async with watching(stack) as groups:
            await recovery.recovery(stack, groups, plan, outcome)
    if "poison" in plan.only:
        stack.say("a hundredth of poison")
        async with watching(stack) as groups:
            await poison.poison(stack, groups, plan, outcome, data)
    if "person" in plan.only:
        stack.say("a person with a long history")
        await person.person(stack, plan, outcome)
    if "report" in plan.only:
        stack.say("a report of all metrics")
        await reporting.reporting(stack, plan, outcome)
    outcome.rows.sort(
        key=lambda row: ("limit", "faust", "processors", "worker", "together", "sink").index(row.name)
    )


async def _on_history(stack: Stack, plan: Plan, data: Path, outcome: Outcome) -> None:
    """What reads the same topics."""
    stack.say("loading the history")
    settings = stack.settings("loading", prefix=PREFIX, partitions=plan.partitions)
    stores = the_history(plan.events, plan.people, plan.days).settings()
    await stack.make_topics(settings)
    task = LoadTask(
        bootstrap=stack.bootstrap,
        prefix=PREFIX,
        partitions=plan.partitions,
        events=plan.events,
        people=plan.people,
        days=plan.days,
        cache=str(data),
    )
    truth = await stack.run_peer("load", task)
    outcome.detail["history"] = {"events": truth.events, **truth.detail}
    if "limit" in plan.only:
        stack.say("the limit")
        await throughput.limit(stack, plan, outcome)
    if "faust" in plan.only:
        stack.say("a stock Faust agent")
        await throughput.faust(stack, plan, outcome)
    async with watching(stack) as groups:
        if {"worker", "sink"}.intersection(plan.only):
            stack.say("the worker")
            worked = await throughput.worker(stack, groups, plan, outcome, truth)
            if "sink" in plan.only:
                stack.say("the sink")
                await delivery.sink(stack, groups, outcome, worked, truth, stores)
        if "together" in plan.only:
            stack.say("worker and sink together")
            await delivery.together(stack, groups, plan, outcome, truth, stores)
