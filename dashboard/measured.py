"""The numbers that the queries brought, and metrics computed from them: sums, differences and exact quotients."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from dashboard.compiling import Question
from schemas.metrics import METRICS
from schemas.metrics.grains import narrowed, needed
from schemas.metrics.model import CURRENCY, Metric, Unit

Key = tuple[tuple[str, ...], str | None]
"""Values of the asked dimensions, and the currency or None for all together."""


class Measured:
    """Parts by bucket, dimensions and currency. What no row told is 0."""

    def __init__(self, by: tuple[str, ...], metrics: Mapping[str, Metric] = METRICS) -> None:
        self._by = by
        self._metrics = metrics
        # (part, dimensions) -> (values of the dimensions, currency or None) -> bucket -> number
        self._cells: dict[tuple[str, tuple[str, ...]], dict[Key, dict[Any, int]]] = {}

    def take(self, question: Question, rows: Iterable[tuple[Any, ...]]) -> None:
        """The rows of a question's answer: bucket, keys, parts."""
        plain = tuple(each for each in question.by if each != CURRENCY)
        has_currency = CURRENCY in question.keys
        start = 1 + len(question.keys)
        tables = [self._cells.setdefault((part, question.by), {}) for part in question.parts]
        for row in rows:
            values = tuple(map(str, row[1 : 1 + len(plain)]))
            currency = str(row[len(question.keys)]) if has_currency else None
            for table, value in zip(tables, row[start:], strict=True):
                table.setdefault((values, currency), {})[row[0]] = int(value)

    def keys(self, name: str, *, by_currency: bool) -> list[Key]:
        """What a metric is told apart into, ascending. An empty currency is no currency."""
        metric = self._metrics[name]
        found: set[Key] = set()
        for part, dimensions in needed(name, self._by, self._metrics):
            if dimensions != self._by:
                continue
            for values, currency in self._cells.get((part, dimensions), {}):
                if not by_currency:
                    found.add((values, None))
                elif currency:
                    found.add((values, currency))
        if not by_currency and not self._by and not metric.query:
            found.add(((), None))
        return sorted(found, key=lambda key: (key[0], key[1] or ""))

    def number(self, name: str, bucket: Any, key: Key) -> int:
        """An additive (or distinct) metric in a bucket."""
        return self._number(name, bucket, key, self._by)

    def sides(self, name: str, bucket: Any, key: Key) -> tuple[int, int]:
        """Numerator and denominator of a ratio."""
        metric = self._metrics[name]
        return self.quotient(metric, metric.numerator, metric.denominator, bucket, key)

    def quotient(
        self, metric: Metric, numerator: str, denominator: str, bucket: Any, key: Key
    ) -> tuple[int, int]:
        """The two sides by name; the denominator of `over_all` dimensions is that of all."""
        by = narrowed(metric, self._by) if denominator == metric.denominator else self._by
        values = tuple(
            value for each, value in zip(_plain(self._by), key[0], strict=True) if each in by
        )  # fmt: skip
        return (
            self._number(numerator, bucket, key, self._by),
            self._number(denominator, bucket, (values, key[1]), by),
        )

    def _number(self, name: str, bucket: Any, key: Key, by: tuple[str, ...]) -> int:
        metric = self._metrics[name]
        if not metric.fact:
            plus = sum(self._number(each, bucket, key, by) for each in metric.plus)
            return plus - sum(self._number(each, bucket, key, by) for each in metric.minus)
        table = self._cells.get((name, by), {})
        values, currency = key
        cell = table.get(key)
        if cell is None and currency is not None:
            # A fact without currency beside one that has it: its number belongs to every currency's row.
            cell = table.get((values, None))
        if cell is not None:
            return cell.get(bucket, 0)
        if currency is not None:
            return 0
        cells = [cell.get(bucket, 0) for (found, _), cell in table.items() if found == values]
        return max(cells, default=0) if metric.unit is Unit.INSTANT else sum(cells)


def ratio(metric: Metric, sides: tuple[int, int]) -> Fraction | None:
    """The quotient in the metric's unit; None when the denominator is 0 (E30)."""
    numerator, denominator = sides
    if denominator == 0:
        return None
    return Fraction(numerator, denominator) * (100 if metric.unit is Unit.PERCENT else 1)


def _plain(by: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(each for each in by if each != CURRENCY)
