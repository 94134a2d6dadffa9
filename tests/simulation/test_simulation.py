"""Some seeds and some crash points of the simulation; `make simulation` plays thousands, and every crash point."""

from dataclasses import replace

import pytest

from tests.simulation.plan import CrashAt, make_plan
from tests.simulation.run import Result, run

SEEDS = 60
# Each failed once, on the simulation as it is; where that or the product takes other steps, a seed is another history,
# and what it found has a test of its own as well.
KEPT = {
    234: "a watermark took ends that had been asked for on behalf of an older one, from before its own rows",
}


def played(seed: int) -> Result:
    return run(seed, make_plan(seed))


@pytest.mark.parametrize("batch", range(3))
def test_whatever_goes_wrong_the_rows_are_the_oracles(batch: int) -> None:
    for seed in range(batch * SEEDS // 3, (batch + 1) * SEEDS // 3):
        assert not played(seed).findings, f"python -m tests.simulation --seed {seed}"


@pytest.mark.parametrize("seed", KEPT)
def test_seeds_that_failed_once_do_not_fail_again(seed: int) -> None:
    assert played(seed).findings == []


def test_a_crash_before_or_after_any_of_every_seventh_steps_changes_nothing() -> None:
    plan = make_plan(1, quiet=True, stories=4)
    steps = run(1, plan, CrashAt(0, after=False)).steps
    assert steps > 50
    for step in range(1, steps + 1, 7):
        for after in (False, True):
            result = run(1, plan, CrashAt(step, after=after))
            assert not result.findings, (step, after)
            assert result.faults == 1


def test_the_same_seed_is_the_same_history() -> None:
    rough = replace(make_plan(7), fault_rate=0.1, disturbances=2.0)
    first, again = run(7, rough, tracing=True), run(7, rough, tracing=True)
    assert first.faults > 5
    assert first.trace == again.trace
    assert first.steps == again.steps
