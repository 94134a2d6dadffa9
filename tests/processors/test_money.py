"""Money is spread to the minor unit: nothing appears, nothing disappears, ties go to the earlier line."""

from hypothesis import given
from hypothesis import strategies as st

from processors.money import line_paid, spread
from schemas.stores import Store

AMOUNTS = st.integers(0, 10**15)
WEIGHTS = st.lists(AMOUNTS, min_size=1, max_size=20)


@given(amount=AMOUNTS, weights=WEIGHTS)
def test_the_parts_add_up_and_none_is_further_than_one_unit_from_its_share(
    amount: int, weights: list[int]
) -> None:
    parts = spread(amount, weights)
    assert sum(parts) == amount
    total = sum(weights)
    for part, weight in zip(parts, weights, strict=True):
        if total:
            assert amount * weight // total <= part <= -(-amount * weight // total)


def test_leftover_units_go_to_the_largest_fractions_and_then_to_the_earlier_line() -> None:
    assert spread(1, [1, 1, 1]) == [1, 0, 0]
    assert spread(1000, [3334, 3333, 3333]) == [334, 333, 333]  # golden 9
    assert spread(5, [0, 0]) == [3, 2]  # all zero: equal weights


def test_the_difference_is_spread_and_not_the_total() -> None:
    # Decisions H52: values 1,1,1 and total 2 give 0,1,1 by the difference, and would give 1,1,0 by the total.
    assert line_paid([1, 1, 1], total=2, shipping=0, tax=0, store=Store()) == [0, 1, 1]


def test_a_surcharge_is_added_and_tax_stays_in_the_lines_of_a_tax_inclusive_store() -> None:
    assert line_paid([50, 50], total=121, shipping=0, tax=20, store=Store()) == [51, 50]
    assert line_paid([50, 50], total=121, shipping=1, tax=20, store=Store(tax_in_lines=True)) == [60, 60]


@given(values=WEIGHTS, share=st.integers(0, 100), shipping=AMOUNTS, tax=AMOUNTS)
def test_lines_add_up_to_the_total_without_shipping_and_tax_and_are_never_negative(
    values: list[int], share: int, shipping: int, tax: int
) -> None:
    target = sum(values) * share // 100
    paid = line_paid(values, total=target + shipping + tax, shipping=shipping, tax=tax, store=Store())
    assert sum(paid) == target
    assert all(0 <= part <= value for part, value in zip(paid, values, strict=True))
