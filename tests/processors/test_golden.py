"""The golden cases of the contract, worked out by hand, hold for the pipeline however their events arrive."""

import pytest

from tests.driver import PipelineDriver
from tests.golden.all_cases import CASES, NAMES
from tests.golden.case import Case, arrivals, check


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_the_pipeline_agrees_with_the_case_worked_out_by_hand(case: Case) -> None:
    for name, records in arrivals(case):
        for crash in (False, True):
            driver = PipelineDriver(case.stores)
            half = len(records) // 2
            driver.pipe(records[:half], commit=not crash)
            if crash:
                driver.crash()
            driver.pipe(records[half:])
            assert not driver.dead_letters, name
            check(case, driver.rows())


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_reading_the_last_hour_again_after_a_kill_counts_nothing_twice(case: Case) -> None:
    driver = PipelineDriver(case.stores)
    driver.pipe(case.records)
    before = driver.rows()
    last = max(record.timestamp for record in case.records)
    driver.crash()
    driver.pipe([record for record in case.records if record.timestamp >= last - 3_600_000])
    assert driver.rows() == before
