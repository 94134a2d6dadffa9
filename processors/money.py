"""Whole minor units, spread exactly: line_paid, order discounts, refunds without lines."""

from collections.abc import Sequence

from schemas.stores import Store


def spread(amount: int, weights: Sequence[int]) -> list[int]:
    """`amount` (>= 0) over `weights` (>= 0) by largest remainder; ties to the earlier one; all zero: equal weights.

    The parts add up to `amount` exactly (decisions H52).
    """
    total = sum(weights)
    if total == 0:
        weights = [1] * len(weights)
        total = len(weights)
    parts = [amount * weight // total for weight in weights]
    left = amount - sum(parts)
    if left:
        by_fraction = sorted(range(len(weights)), key=lambda i: (-(amount * weights[i] % total), i))
        for i in by_fraction[:left]:
            parts[i] += 1
    return parts


def line_paid(values: Sequence[int], *, total: int, shipping: int, tax: int, store: Store) -> list[int]:
    """What was paid for each line: `values` (quantity * unit_price - discount) less or plus the order-level difference.

    Adds up to `total - shipping - tax` (tax stays in the lines of a tax-inclusive store, H62), minor units.
    """
    target = total - shipping - (0 if store.tax_in_lines else tax)
    difference = sum(values) - target
    if difference == 0:
        return list(values)
    sign = 1 if difference > 0 else -1
    return [value - sign * part for value, part in zip(values, spread(abs(difference), values), strict=True)]


def half_even(numerator: int, denominator: int) -> int:
    """The quotient of `numerator` (>= 0) by `denominator` (> 0), rounded half to even: exact, however long they are."""
    quotient, rest = divmod(numerator, denominator)
    return quotient + (2 * rest > denominator or (2 * rest == denominator and quotient % 2))
