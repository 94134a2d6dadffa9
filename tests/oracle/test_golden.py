"""The golden cases hold for the oracle, however their events arrive."""

import pytest

from tests.golden.all_cases import CASES, NAMES
from tests.golden.case import Case, arrivals, check
from tests.oracle.recompute import recompute


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_the_oracle_agrees_with_the_case_worked_out_by_hand(case: Case) -> None:
    straight = recompute(case.records, case.stores)
    assert {verdict.bucket for verdict in straight.verdicts.values()} == {"accepted"}
    check(case, straight.rows)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_arrival_order_and_repeats_change_no_row(case: Case) -> None:
    straight = recompute(case.records, case.stores)
    for name, records in arrivals(case):
        again = recompute(records, case.stores)
        assert again.rows == straight.rows, name
        buckets = [verdict.bucket for verdict in again.verdicts.values()]
        assert buckets.count("accepted") == len(case.events), name
        assert buckets.count("duplicate") == len(records) - len(case.events), name
