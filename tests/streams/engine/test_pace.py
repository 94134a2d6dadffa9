"""The pace: quick commits let epochs grow to their bound, slow ones shrink them before the deadline is met."""

from streams.engine.pace import LEAST_RECORDS, Pace
from tests.streams.engine.kit import options


def test_it_begins_in_the_middle_and_grows_to_the_bounds_while_commits_are_quick() -> None:
    pace = Pace(options(epoch_max_records=4_000, chunk_max_records=2_000, commit_timeout_ms=8_000))
    assert (pace.epoch_records, pace.chunk_records) == (1_000, 500)
    for _ in range(10):
        pace.committed(0.3)
    assert (pace.epoch_records, pace.chunk_records) == (4_000, 2_000)


def test_commits_near_the_deadline_shrink_it_and_those_in_between_leave_it() -> None:
    pace = Pace(options(epoch_max_records=4_000, chunk_max_records=2_000, commit_timeout_ms=8_000))
    pace.committed(2.0)
    assert pace.epoch_records == 1_000
    pace.committed(3.5)
    assert pace.epoch_records == 500
    for _ in range(20):
        pace.committed(7.9)
    assert pace.epoch_records == pace.chunk_records == LEAST_RECORDS


def test_bounds_below_the_least_are_kept() -> None:
    pace = Pace(options(epoch_max_records=5, chunk_max_records=3))
    pace.committed(100.0)
    assert (pace.epoch_records, pace.chunk_records) == (5, 3)
