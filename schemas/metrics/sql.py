"""From facts and metrics to one SELECT: the same text for the views of ClickHouse and for the queries of a report."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from string import Template
from typing import Final

from schemas.metrics.expressions import fields_of
from schemas.metrics.model import CHANNEL, CURRENCY, Cut, Fact, Metric

BUCKET: Final = "bucket"


@dataclass(frozen=True, slots=True)
class Frame:
    """What a query is asked within. All are SQL texts; a report's hold bound parameters only."""

    store: str
    whole: str
    scope: str
    as_of: str
    cut: str
    bucket: str
    """Over the fact's `$at` and `$date`: which period or day a row belongs to."""
    counts: str
    """Over the same: whether it belongs to one."""
    channel: str = ""
    """The value that the channel must have; empty: all channels."""
    recent: str = ""
    side: str = ""
    """Given where buckets are the numbers 1 and 2, and 0 where a row does not count: see `model`."""
    keys: tuple[str, ...] = ()
    """Fields that every row of the answer is told apart by, besides the bucket."""

    def marks(self) -> dict[str, str]:
        """The marks that do not depend on a fact."""
        return {
            "store": self.store,
            "whole": self.whole,
            "scope": self.scope,
            "as_of": self.as_of,
            "cut": self.cut,
            "recent": self.recent,
            "keys": "".join(f"{key}, " for key in self.keys),
        }

    def fill(self, text: str) -> str:
        """A whole query's text with its marks filled in."""
        return Template(text).substitute(self.marks())


def select(fact: Fact, aggregates: Mapping[str, str], frame: Frame) -> str:
    """One SELECT: a row for each bucket and combination of the frame's keys, a column for each aggregate by its name."""
    used = frozenset().union(*map(fields_of, aggregates.values())) | set(fact.key)
    where = fact.where if fact.inner else f"{fact.where} AND $counts$channel"
    marks = frame.marks() | {"at": fact.at, "date": fact.date}
    marks["channel"] = f" AND {_field(fact, CHANNEL)} = {frame.channel}" if frame.channel else ""
    marks |= {name: _filled(getattr(frame, name), marks) for name in ("bucket", "counts", "side")}
    marks |= {"rows": _filled(fact.rows, marks), "where": _filled(where, marks)}
    special = fact.inner_of_two if frame.side and fact.inner_of_two else fact.inner
    if used & set(fact.extra):
        special = fact.inner_extra
    inner = _filled(special or _inner(fact, used, frame.keys), marks)
    keys = ", ".join((BUCKET, *frame.keys))
    columns = ", ".join((keys, *(f"{sql} AS {name}" for name, sql in aggregates.items())))
    return f"SELECT {columns}\nFROM (\n{inner}\n)\nGROUP BY {keys}"


def _inner(fact: Fact, used: Iterable[str], keys: Sequence[str]) -> str:
    names = [each for each in fact.fields if each.name in {*used, *keys}]
    columns = ["$bucket AS bucket"]
    columns += [each.name if each.sql in ("", each.name) else f"{each.sql} AS {each.name}" for each in names]
    distinct = "DISTINCT " if fact.key else ""
    return f"SELECT {distinct}{', '.join(columns)}\nFROM $rows\nWHERE $where"


def _field(fact: Fact, name: str) -> str:
    return next(each.sql or each.name for each in fact.fields if each.name == name)


def _filled(text: str, marks: Mapping[str, str]) -> str:
    # Twice: a field's own text may hold marks.
    return Template(Template(text).substitute(marks)).substitute(marks)


def cut_of(metric: Metric, by: Sequence[str], facts: Mapping[str, Fact]) -> Cut | None:
    """Where a metric over a fact is read when it is told apart by `by`; None if it can't be."""
    wanted = set(by) - {CHANNEL}
    own = {*metric.dimensions, *((CURRENCY,) if facts[metric.fact].has_currency else ())}
    if wanted <= own:
        return Cut(metric.fact, metric.sql, metric.dimensions)
    for cut in metric.cuts:
        if wanted <= {*cut.dimensions, *((CURRENCY,) if facts[cut.fact].has_currency else ())}:
            return cut
    return None


def quoted(says: str) -> str:
    """A sentence as a text of SQL."""
    escaped = says.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
