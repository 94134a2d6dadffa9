"""The catalogue's rules, judged when it is imported: a wrong entry never reaches a query."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from schemas.metrics.expressions import divides, fields_of
from schemas.metrics.model import CHANNEL, CatalogueError, Cut, Fact, Grain, Metric, Query, Unit

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_NUMBER: Final = re.compile(r"M([1-9]|[1-4][0-9]|50)")


def checked_facts(facts: Iterable[Fact]) -> dict[str, Fact]:
    """Name -> fact. Raises CatalogueError."""
    found: dict[str, Fact] = {}
    for fact in facts:
        if fact.name in found:
            raise CatalogueError(f"fact {fact.name}: declared twice; rename one")
        names = [each.name for each in fact.fields]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise CatalogueError(f"fact {fact.name}: field {', '.join(repeated)} declared twice; drop one")
        if missing := sorted({"store_id", CHANNEL, *fact.key} - set(names)):
            raise CatalogueError(f"fact {fact.name}: has no field {', '.join(missing)}; add it")
        found[fact.name] = fact
    return found


def checked_metrics(
    metrics: Iterable[Metric], facts: Mapping[str, Fact], queries: Mapping[str, Query]
) -> dict[str, Metric]:
    """Name -> metric. Raises CatalogueError naming the first entry that breaks a rule."""
    found: dict[str, Metric] = {}
    for metric in metrics:
        if metric.name in found:
            raise CatalogueError(f"metric {metric.name}: declared twice; rename one")
        found[metric.name] = metric
    for metric in found.values():
        for problem in _problems(metric, found, facts, queries):
            raise CatalogueError(f"metric {metric.name}: {problem}")
    return found


def _problems(
    metric: Metric, metrics: Mapping[str, Metric], facts: Mapping[str, Fact], queries: Mapping[str, Query]
) -> Iterator[str]:
    if not _NAME.fullmatch(metric.name):
        yield "the name must be lower case words joined by _"
    if not _NUMBER.fullmatch(metric.number):
        yield f"number {metric.number!r} is none of M1 to M50"
    if not (metric.says.endswith(".") and metric.day and metric.origin):
        yield "needs a definition that ends with a full stop, a day rule and an origin"
    ways = [bool(metric.fact), bool(metric.plus), bool(metric.numerator), bool(metric.query)]
    if sum(ways) != 1:
        yield "give exactly one of fact, plus, numerator and query"
    if metric.name in {name for fact in facts.values() for name in fact.names}:
        yield "a field of a fact has the same name, and SQL would confuse the two; rename one"
    if unknown := [name for name in metric.made_of if name not in metrics]:
        yield f"is made of {', '.join(unknown)}, which the catalogue does not know"
    if metric.query and metric.query not in queries:
        yield f"query {metric.query!r} is not known; known are {', '.join(queries)}"
    yield from _ratio_problems(metric)
    if metric.fact:
        yield from _sql_problems(metric, Cut(metric.fact, metric.sql, metric.dimensions), facts)
        for cut in metric.cuts:
            yield from _sql_problems(metric, cut, facts)
    elif metric.cuts or (metric.dimensions and not metric.query):
        yield "what is made of other metrics is told apart as they are; drop its own cuts and dimensions"


def _ratio_problems(metric: Metric) -> Iterator[str]:
    if (metric.grain is Grain.RATIO) != bool(metric.numerator) and not metric.query:
        yield "a ratio is never stored: give grain R a numerator and a denominator, and no other grain one"
    if bool(metric.numerator) != bool(metric.denominator):
        yield "a ratio has both a numerator and a denominator"
    if (metric.sql and divides(metric.sql)) or any(divides(cut.sql) for cut in metric.cuts):
        yield "its SQL divides: a ratio is never stored; declare numerator and denominator"
    if metric.over_all and not metric.numerator:
        yield "over_all is of ratios only"
    if (metric.unit is Unit.INSTANT) and not metric.part:
        yield "instants are parts of other metrics"


def _sql_problems(metric: Metric, cut: Cut, facts: Mapping[str, Fact]) -> Iterator[str]:
    fact = facts.get(cut.fact)
    if fact is None:
        yield f"fact {cut.fact!r} is not known; known are {', '.join(facts)}"
        return
    known = f"has {', '.join(sorted(fact.names))}"
    if unknown := sorted(fields_of(cut.sql) - fact.names):
        yield f"{', '.join(unknown)} is no field of fact {fact.name}, which {known}"
    if unknown := sorted(set(cut.dimensions) - fact.names):
        yield f"dimension {', '.join(unknown)} is no field of fact {fact.name}, which {known}"
    if metric.is_money and not fact.has_currency:
        yield f"money needs the currency, which fact {fact.name} does not have"
    if not cut.sql:
        yield f"no SQL over fact {fact.name}"
