"""What a metric is made of at which grain: the parts that must be read, and by what it can be told apart."""

from collections.abc import Iterator, Mapping

from schemas.metrics import FACTS, METRICS
from schemas.metrics.model import CHANNEL, CURRENCY, Metric
from schemas.metrics.sql import cut_of


def needed(
    name: str, by: tuple[str, ...], metrics: Mapping[str, Metric] = METRICS
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(part, dimensions it is told apart by): a ratio's denominator may be that of all."""
    metric = metrics[name]
    if metric.fact:
        yield name, by
    for each in metric.made_of:
        yield from needed(each, narrowed(metric, by) if each == metric.denominator else by, metrics)


def narrowed(metric: Metric, by: tuple[str, ...]) -> tuple[str, ...]:
    """The dimensions that a ratio's denominator is told apart by."""
    return tuple(each for each in by if each not in metric.over_all)


def readable(name: str, by: tuple[str, ...], metrics: Mapping[str, Metric] = METRICS) -> bool:
    """Whether a metric can be told apart by these dimensions."""
    return all(
        cut_of(metrics[part], dimensions, FACTS) is not None for part, dimensions in needed(name, by, metrics)
    )


def dimensions(name: str, metrics: Mapping[str, Metric] = METRICS) -> tuple[str, ...]:
    """Every single dimension that a metric over facts can be told apart by, ascending; without channel and currency."""
    named = {CHANNEL, CURRENCY}
    for metric in metrics.values():
        named |= {*metric.dimensions, *(each for cut in metric.cuts for each in cut.dimensions)}
    return tuple(sorted(each for each in named - {CHANNEL, CURRENCY} if readable(name, (each,), metrics)))
