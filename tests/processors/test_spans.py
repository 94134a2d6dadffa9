"""Idle-gap spans: exactly the time-out continues, one ms more begins anew, and any order gives the same spans."""

import random

from hypothesis import given
from hypothesis import strategies as st

from processors.spans import Span, place, start_of

TIMEOUT = 30


def spans_of(times: list[int]) -> list[Span]:
    """The spans after placing the times one by one."""
    spans: list[Span] = []
    for at in times:
        place(spans, at, TIMEOUT)
    return spans


def naive(times: list[int]) -> list[Span]:
    """The spans by definition, from the sorted times."""
    spans: list[Span] = []
    for at in sorted(times):
        if spans and at - spans[-1][1] <= TIMEOUT:
            spans[-1][1] = at
        else:
            spans.append([at, at])
    return spans


def test_a_gap_of_exactly_the_timeout_continues_and_one_more_begins_anew() -> None:
    assert spans_of([100, 130]) == [[100, 130]]
    assert spans_of([100, 131]) == [[100, 100], [131, 131]]


def test_a_late_event_bridges_two_spans_and_names_the_void_one() -> None:
    spans: list[Span] = [[100, 100], [150, 160]]
    assert place(spans, 125, TIMEOUT) == (100, (150,))
    assert spans == [[100, 160]]


def test_an_earlier_event_extends_a_span_backward_and_makes_its_old_start_void() -> None:
    spans: list[Span] = [[100, 110]]
    assert place(spans, 80, TIMEOUT) == (80, (100,))


@given(st.lists(st.integers(0, 400), min_size=1, max_size=40), st.integers(0, 2**32))
def test_any_order_gives_the_spans_of_the_definition(times: list[int], seed: int) -> None:
    random.Random(seed).shuffle(times)
    spans = spans_of(times)
    assert spans == naive(times)
    for at in times:
        start = start_of(spans, at)
        assert start is not None
        assert start <= at
