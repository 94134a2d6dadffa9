"""Writes the history into the source topics; generated once and kept on disk."""

from pathlib import Path

from bench.history import the_history
from bench.peer import PeerResult, Stopwatch, main
from bench.tasks import LoadTask
from deploy.simulator import load_history


async def run(task: LoadTask) -> PeerResult:
    """Load everything; the detail says what must come out, from the simulator's own account."""
    watch = Stopwatch()
    scenario = the_history(task.events, task.people, task.days, poison=task.poison)
    truth = await load_history(scenario, task.bootstrap, task.topics, cache=Path(task.cache))
    (Path(task.cache) / "stores.toml").write_text(scenario.stores_toml())
    days = truth.order_days()
    return watch.result(
        truth.records,
        accepted=truth.bucket("accepted"),
        duplicate=truth.bucket("duplicate"),
        dead_letter=truth.bucket("dead_letter"),
        test_traffic=truth.bucket("test_traffic"),
        orders=sum(day.orders for day in days.values()),
        revenue=sum(day.revenue for day in days.values()),
        people=sum(len(people) for people in truth.people.values()),
    )


if __name__ == "__main__":
    main(LoadTask, arun=run)
