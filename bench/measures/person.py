"""Figure 9: an event of a person with a long history beside one of a person with a short one."""

from bench.plan import Figure, Outcome, Plan
from bench.stack import Stack
from bench.tasks import PersonTask

KINDS = {
    "live": "epochs with one event a person",
    "catch_up": "epochs with four whole visits a person",
    "catch_up_no_orders": "the same, of visits without an order",
    "catch_up_orders": "the same, of visits with an order",
    "after_restart": "epochs with one event a person, everyone loaded from the store first",
}


async def person(stack: Stack, plan: Plan, outcome: Outcome) -> None:
    """One process, no Kafka."""
    task = PersonTask(large=plan.person_large, repetitions=plan.person_repetitions)
    result = await stack.run_peer("person", task)
    outcome.detail["person"] = result.detail
    for kind, what in KINDS.items():
        told = result.detail[kind]
        how = (
            f"CPU of decode to state, {what}: {told['large_us']:.0f} us with {task.large:,} events in the window,"
            f" {told['small_us']:.0f} us with {task.small}; medians of {told['epochs']:.0f} epochs each; rows an event"
            f" {told['large_rows']:.2f} and {told['small_rows']:.2f}; all CPU time together {told['ratio_of_sums']:.2f} x"
        )
        name = f"long history beside short, {kind.replace('_', ' ')}"
        outcome.figures.append(Figure(name=name, value=told["ratio"], unit="x", goal="<= 2", how=how))
