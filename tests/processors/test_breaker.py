"""The circuit breaker: a fault of ours trips it, one bad storefront never does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.breaker import NO_STORE, Bounds, Breaker, BreakerTripped

BOUNDS = Bounds(window_records=1_000, share=0.5, run_records=100)


def feed(breaker: Breaker, chunks: int, good: int, **letters: int) -> None:
    """So many chunks, each of these good records and these dead letters by store (`_`: of no store)."""
    claims = [NO_STORE if store == "_" else store for store, count in letters.items() for _ in range(count)]
    for _ in range(chunks):
        breaker.saw("order", good + len(claims), claims)


def test_dead_letters_of_every_store_trip_it_within_a_run() -> None:
    breaker = Breaker(BOUNDS)
    feed(breaker, 9, 0, acme=10, tokyo=10)
    with pytest.raises(BreakerTripped, match=r"^order: 200 dead letters in a row, 100 of them") as caught:
        feed(breaker, 1, 0, acme=10, tokyo=10)
    assert "breaker_run_records" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_share_above_the_bound_trips_it_once_the_window_is_full() -> None:
    breaker = Breaker(BOUNDS)
    feed(breaker, 9, 20, acme=40, tokyo=40)  # 900 records
    with pytest.raises(BreakerTripped, match=r"800 of the last 1000 records .* still 400 of 600"):
        feed(breaker, 1, 20, acme=40, tokyo=40)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 300)), max_size=60))
def test_one_bad_storefront_never_trips_it(chunks: list[tuple[int, int]]) -> None:
    breaker = Breaker(BOUNDS)
    for good, bad in chunks:
        feed(breaker, 1, good, acme=bad)


def test_a_flood_of_one_store_hides_behind_no_other() -> None:
    breaker = Breaker(BOUNDS)
    # Everybody else is fine: two per cent of what they send is broken, as ever.
    feed(breaker, 100, 49, acme=2_000, tokyo=1)


def test_records_of_no_store_are_everybodys() -> None:
    breaker = Breaker(BOUNDS)
    with pytest.raises(BreakerTripped):
        feed(breaker, 10, 0, _=10)


def test_a_few_per_cent_of_poison_of_every_kind_never_trip_it() -> None:
    breaker = Breaker(BOUNDS)
    feed(breaker, 1_000, 95, acme=2, tokyo=2, _=1)


def test_a_large_chunk_of_a_backlog_that_is_mostly_good_is_no_run() -> None:
    breaker = Breaker(Bounds())
    feed(breaker, 20, 1_700, acme=60, tokyo=60, kuwait=60, lima=60, _=60)
    with pytest.raises(BreakerTripped, match="in a row"):
        feed(breaker, 3, 0, acme=60, tokyo=60, kuwait=60)


def test_what_has_left_the_window_is_forgotten_and_a_good_record_ends_a_run() -> None:
    breaker = Breaker(BOUNDS)
    for _ in range(50):
        feed(breaker, 1, 1, _=99)
        feed(breaker, 1, 1_000)


def test_topics_are_judged_apart() -> None:
    breaker = Breaker(BOUNDS)
    for _ in range(20):
        breaker.saw("click", 1_000, [])
        with pytest.raises(BreakerTripped):
            feed(Breaker(BOUNDS), 10, 0, _=10)
    with pytest.raises(BreakerTripped, match=r"^order"):
        feed(breaker, 10, 0, _=10)


def test_a_window_of_nothing_turns_it_off() -> None:
    feed(Breaker(Bounds(window_records=0)), 100, 0, _=1_000)
