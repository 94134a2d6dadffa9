"""The comparison of the demo: what is expected comes from the truth alone, and every difference is told."""

import pytest

from deploy.demo.figures import Figures, differences, expected_figures
from deploy.simulator import Rates, Scenario, StoreSpec, Truth, history, new_truth

END_MS = 1_790_000_000_000


@pytest.fixture(scope="module")
def truth() -> Truth:
    shop = StoreSpec(store_id="acme", people=60)
    scenario = Scenario.ending(END_MS, days=10, stores=(shop,), rates=Rates(poison=0.01))
    account = new_truth(scenario)
    assert sum(1 for _ in history(scenario, account, stamped_at_ms=END_MS)) > 500
    return account


def test_the_truth_is_equal_to_itself(truth: Truth) -> None:
    figures = expected_figures(truth)
    assert figures.read == sum(figures.bucket_totals().values()) == truth.records
    assert sum(figures.reasons.values()) == figures.bucket_totals()["dead_letter"] > 0
    assert figures.money_totals()["EUR"]["orders"] > 0
    assert not any(differences(figures, expected_figures(truth)).values())


@pytest.mark.parametrize(
    ("part", "spoil"),
    [
        ("read", lambda figures: setattr(figures, "read", figures.read + 1)),
        ("buckets_add_up", lambda figures: setattr(figures, "unaccounted", 1)),
        ("buckets", lambda figures: figures.buckets.update({"order too_late": 1})),
        ("dead_letters", lambda figures: figures.reasons.popitem()),
        ("orders", lambda figures: figures.money.popitem()),
        ("goals_journeys", lambda figures: figures.facts.update(communications=0)),
    ],
)
def test_each_difference_is_told(truth: Truth, part: str, spoil: object) -> None:
    found = expected_figures(truth)
    assert callable(spoil)
    spoil(found)
    told = {name for name, lines in differences(expected_figures(truth), found).items() if lines}
    assert told == {part}


def test_what_was_there_before_is_left_out(truth: Truth) -> None:
    before = Figures(
        read=5, buckets={"order accepted": 5}, money={"acme 2026-01-01 EUR orders": 2}, facts={"goals": 2}
    )
    figures = expected_figures(truth)
    after = Figures(
        figures.read + 5,
        0,
        {**figures.buckets, "order accepted": figures.buckets["order accepted"] + 5},
        figures.reasons,
        {**figures.money, **before.money},
        {**figures.facts, "goals": figures.facts["goals"] + 2},
    )
    assert after.less(before) == figures


def test_a_scenario_that_leaves_the_answer_to_the_watermark_is_refused(truth: Truth) -> None:
    late = Truth(zones=truth.zones)
    late.account("order", "late_candidate")
    with pytest.raises(ValueError, match="watermark"):
        expected_figures(late)
