"""By what the values of a metric can be told apart, and by what they are even if nobody asks."""

from functools import cache

from schemas.metrics import FACTS, METRICS, SHOWN
from schemas.metrics.customers import told_apart_by
from schemas.metrics.grains import readable
from schemas.metrics.model import CHANNEL, CURRENCY, Metric, Section


def dimensions_of(metric: Metric, by: tuple[str, ...]) -> tuple[str, ...]:
    """Names of what stands in a value's `by` when these dimensions are asked for."""
    if metric.section is Section.CUSTOMERS:
        return told_apart_by(metric, by) or ()
    return tuple(each for each in by if each != CURRENCY)


def can_be_told_apart(name: str, by: tuple[str, ...]) -> bool:
    """Whether a metric of the catalogue has values by these dimensions."""
    metric = METRICS[name]
    if metric.section is Section.CUSTOMERS:
        return told_apart_by(metric, by) is not None
    if metric.query:
        return not by
    return readable(name, by)


@cache
def dimensions() -> tuple[str, ...]:
    """Everything that some metric can be told apart by, ascending."""
    return tuple(sorted(each for each in _named() if any(can_be_told_apart(name, (each,)) for name in SHOWN)))


@cache
def asked_dimensions(name: str) -> tuple[str, ...]:
    """What a report of this metric can be asked by, ascending."""
    return tuple(each for each in dimensions() if can_be_told_apart(name, (each,)))


def _named() -> set[str]:
    found = {CHANNEL, CURRENCY}
    for metric in METRICS.values():
        found |= {*metric.always, *metric.dimensions}
        found |= {each for cut in metric.cuts for each in cut.dimensions}
    for fact in FACTS.values():
        found |= {CURRENCY} if fact.has_currency else set()
    return found
