"""The Prometheus registry of one process, made from `schemas.telemetry`: only what is declared there can be told."""

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final, NamedTuple

import prometheus_client as prometheus

from schemas.telemetry import MAX_PARTITION_SERIES, SIGNALS, Kind, Role, Signal, signals_of

ALL_PARTITIONS: Final = "all"
DISTRIBUTION: Final = "shopmeter"


class Readiness(NamedTuple):
    """May traffic and deployments count on this process; if not, why."""

    ready: bool
    reason: str


class Signals:
    """The registry of one process, with every signal of its role and no other."""

    def __init__(self, role: Role, *, starting: str) -> None:
        """`starting`: why it is not ready until it first says that it is."""
        # A second series beside each counter, which nobody reads.
        prometheus.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.role = role
        self.registry = prometheus.CollectorRegistry()
        self._metrics = {signal.name: _metric(signal, self.registry) for signal in signals_of(role)}
        self._kept: dict[tuple[str, ...], Any] = {}
        prometheus.ProcessCollector(registry=self.registry)
        prometheus.PlatformCollector(registry=self.registry)
        self._readiness = Readiness(False, starting)
        self.of("shopmeter_build_info", version(DISTRIBUTION), platform.python_version(), role.value).set(1)

    @property
    def readiness(self) -> Readiness:
        """What `/ready` answers."""
        return self._readiness

    def become(self, ready: bool, reason: str) -> None:
        """Say whether it is ready; `reason` is for the operator who waits for it."""
        self._readiness = Readiness(ready, "" if ready else reason)
        self.of("shopmeter_ready").set(int(ready))

    def of(self, name: str, *labels: str) -> Any:
        """The series. KeyError for a name that is not in `schemas.telemetry`, or not of this role."""
        found = self._kept.get((name, *labels))
        if found is None:
            metric = self._metrics[name]
            found = metric.labels(*labels) if labels else metric
            # The client's own look-up locks and costs as much as a record. Gauges are not kept: theirs may be removed.
            if SIGNALS[name].kind is not Kind.GAUGE:
                self._kept[(name, *labels)] = found
        return found

    def clear(self, prefix: str) -> None:
        """Drop every series of the gauges whose names begin so."""
        for name, metric in self._metrics.items():
            if name.startswith(prefix) and SIGNALS[name].kind is Kind.GAUGE:
                metric.clear()

    def value(self, name: str, *labels: str) -> float | None:
        """What a scrape would read now (`_count` and `_sum` of histograms too); None when there is no such series."""
        for family in self.registry.collect():
            for sample in family.samples:
                if sample.name == name and tuple(sample.labels.values()) == labels:
                    return float(sample.value)
        return None


def _metric(signal: Signal, registry: prometheus.CollectorRegistry) -> Any:
    # The client adds a counter's `_total` itself.
    options: dict[str, Any] = {"labelnames": signal.labels, "registry": registry}
    match signal.kind:
        case Kind.COUNTER:
            return prometheus.Counter(signal.name.removesuffix("_total"), signal.help, **options)
        case Kind.GAUGE:
            return prometheus.Gauge(signal.name, signal.help, **options)
        case Kind.HISTOGRAM:
            return prometheus.Histogram(signal.name, signal.help, buckets=signal.buckets, **options)


class PartitionGauges:
    """Gauges by partition, of few partitions each, of many together: an installation may have thousands."""

    def __init__(self, signals: Signals, partitions: int) -> None:
        self._signals = signals
        self._apart = partitions <= MAX_PARTITION_SERIES
        self._values: dict[str, dict[int, float]] = {}

    def set(self, name: str, partition: int, value: float) -> None:
        """Tell a partition's value of a signal whose only label is `partition`."""
        values = self._values.setdefault(name, {})
        values[partition] = value
        if self._apart:
            self._signals.of(name, str(partition)).set(value)
        else:
            self._together(name, values)

    def drop(self, partition: int) -> None:
        """The partition is another worker's now, who tells its own."""
        for name, values in self._values.items():
            if values.pop(partition, None) is None:
                continue
            if self._apart:
                self._signals.of(name).remove(str(partition))
            elif values:
                self._together(name, values)
            else:
                self._signals.of(name).remove(ALL_PARTITIONS)

    def _together(self, name: str, values: Mapping[int, float]) -> None:
        watermark = name.endswith("_timestamp_seconds")
        self._signals.of(name, ALL_PARTITIONS).set(
            min(values.values()) if watermark else sum(values.values())
        )
