"""What engine, sink and probe tell Prometheus.

Called for chunks, epochs, flushes and measurements, never for a record; so a label look-up each time costs nothing.
"""

import logging
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Final

from schemas.reasons import Reason
from schemas.tables import ROWS_TABLES, TABLES
from schemas.telemetry import MAX_PARTITION_SERIES, PREFIX, SIGNALS, Role
from schemas.topics import INPUTS
from streams.lag import GroupLag
from streams.signals import PartitionGauges, Signals

# What a processor calls them; milliseconds there, seconds here.
_TIMES: Final = {
    "watermark_ms": "shopmeter_watermark_timestamp_seconds",
    "floor_ms": "shopmeter_floor_timestamp_seconds",
}
_BUCKETS: Final = ("accepted", "duplicate", "test_traffic", "forwarded")

log = logging.getLogger("shopmeter.telemetry")


class WorkerSignals(Signals):
    """The engine's telemetry (`streams.engine.telemetry.EngineTelemetry`)."""

    def __init__(self, partitions: int, *, state_dir: Path | None = None) -> None:
        """`partitions`: of the whole installation; `state_dir`: whose size is told, None: state is in memory."""
        super().__init__(Role.WORKER, starting="starting: no partitions are assigned yet")
        self._gauges = PartitionGauges(self, partitions)
        self._unknown: set[str] = set()
        if state_dir is not None:
            self.of("shopmeter_state_bytes").set_function(lambda: _size(state_dir))
        # A series that begins above 0 has no increase for Prometheus: the first dead letter would raise no alert.
        for topic in INPUTS:
            self.of("shopmeter_read_records_total", topic)
            self.of("shopmeter_unread_expired_records_total", topic)
            for bucket in _BUCKETS:
                self.of("shopmeter_records_total", topic, bucket, "")
            for reason in Reason:
                bucket = "too_late" if reason is Reason.TOO_LATE else "dead_letter"
                self.of("shopmeter_records_total", topic, bucket, reason.value)
        for table in ROWS_TABLES:
            self.of("shopmeter_rows_total", table)

    def ready(self, ready: bool) -> None:
        """See EngineTelemetry."""
        self.become(ready, "a rebalance is under way: partitions are being given out anew")

    def on_chunk(self, topic: str, partition: int, records: int, seconds: float) -> None:
        """See EngineTelemetry."""
        self.of("shopmeter_read_records_total", topic).inc(records)
        self.of("shopmeter_chunk_seconds", topic).observe(seconds)

    def on_epoch(
        self,
        partition: int,
        seconds: float,
        commit_seconds: float,
        rows: Mapping[str, int],
        changelog_bytes: int,
    ) -> None:
        """See EngineTelemetry."""
        self.of("shopmeter_epoch_seconds").observe(seconds)
        self.of("shopmeter_commit_seconds").observe(commit_seconds)
        self.of("shopmeter_epoch_bytes").observe(changelog_bytes)
        for table, count in rows.items():
            self.of("shopmeter_rows_total", table).inc(count)

    def on_event_to_row(self, seconds: float) -> None:
        """The newest event of an epoch that is now committed happened so long ago."""
        self.of("shopmeter_event_to_row_seconds").observe(max(seconds, 0.0))

    def on_counts(self, partition: int, counts: Mapping[tuple[str, str, str], int]) -> None:
        """See EngineTelemetry."""
        for (topic, bucket, reason), records in counts.items():
            self.of("shopmeter_records_total", topic, bucket, reason).inc(records)

    def on_gauges(self, partition: int, gauges: Mapping[str, float]) -> None:
        """See EngineTelemetry. A gauge that is no signal is logged once: telemetry must not end a worker."""
        for name, value in gauges.items():
            if name in _TIMES:
                if value > 0:  # 0: nothing was processed yet, which is no time
                    self._gauges.set(_TIMES[name], partition, value / 1000)
            elif _is_partition_gauge(PREFIX + name):
                self._gauges.set(PREFIX + name, partition, value)
            elif name not in self._unknown:
                self._unknown.add(name)
                log.error("the processor's gauge %s is not told: declare it in schemas/telemetry.py", name)

    def on_restore(self, partition: int, records: int, seconds: float) -> None:
        """See EngineTelemetry."""
        self.of("shopmeter_restore_seconds").observe(seconds)
        self.of("shopmeter_restored_records_total").inc(records)

    def on_rebalance(self, partitions: Sequence[int]) -> None:
        """See EngineTelemetry."""
        self.of("shopmeter_rebalances_total").inc()
        self.of("shopmeter_assigned_partitions").set(len(partitions))
        self.become(False, f"restoring the state of {len(partitions)} partitions")

    def on_unread_expired(self, topic: str, partition: int, records: int) -> None:
        """See EngineTelemetry."""
        self.of("shopmeter_unread_expired_records_total", topic).inc(records)

    def on_aligned(self, partition: int, topics: int) -> None:
        """See EngineTelemetry."""
        self._gauges.set("shopmeter_aligned_topics", partition, topics)

    def on_gc(self, found: int, seconds: float) -> None:
        """See EngineTelemetry."""
        self.of("shopmeter_gc_found_total").inc(found)
        self.of("shopmeter_gc_seconds").observe(seconds)

    def on_partition_closed(self, partition: int) -> None:
        """See EngineTelemetry."""
        self._gauges.drop(partition)


class SinkSignals(Signals):
    """The sink's telemetry (`sinks.telemetry.SinkTelemetry`)."""

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        super().__init__(Role.SINK, starting="starting: no partitions are assigned yet")
        self._now = now
        self._failed: tuple[str, int] | None = None
        for table in TABLES:
            self.of("shopmeter_inserted_rows_total", table)
            self.of("shopmeter_insert_failures_total", table, "0")

    def on_insert(self, table: str, rows: int, seconds: float) -> None:
        """See SinkTelemetry."""
        self.of("shopmeter_inserted_rows_total", table).inc(rows)
        self.of("shopmeter_insert_seconds", table).observe(seconds)
        self._failed = None

    def on_failure(self, table: str, code: int) -> None:
        """See SinkTelemetry."""
        self.of("shopmeter_insert_failures_total", table, str(code)).inc()
        self._failed = (table, code)

    def on_visible(self, table: str, record_time_ms: int) -> None:
        """See SinkTelemetry."""
        visible = record_time_ms / 1000
        self.of("shopmeter_visible_timestamp_seconds", table).set(visible)
        # Computed when it is read: a value that was set once would stay young while nothing becomes visible.
        self.of("shopmeter_freshness_seconds", table).set_function(lambda: max(self._now() - visible, 0.0))
        self.of("shopmeter_row_to_visible_seconds", table).observe(max(self._now() - visible, 0.0))

    def ready(self, is_ready: bool) -> None:
        """See SinkTelemetry."""
        reason = "no partitions are assigned to this sink"
        if self._failed is not None:
            table, code = self._failed
            reason = (
                f"inserts into {table} fail with ClickHouse's code {code} (0: no answer); they are repeated"
            )
        self.become(is_ready, reason)


class ProbeSignals(Signals):
    """The lag of all groups, as the probe measured it last."""

    def __init__(self, cluster_name: str, partitions: int) -> None:
        super().__init__(Role.PROBE, starting="starting: nothing is measured yet")
        self._cluster_name = cluster_name
        self._apart = partitions <= MAX_PARTITION_SERIES
        self.lag_s = math.inf
        """Of the group that is furthest behind; infinite while unknown."""

    def on_measured(
        self, groups: Sequence[GroupLag], held_s: Mapping[str, float], now_ms: int, seconds: float
    ) -> None:
        """A measurement took so many seconds and ended at `now_ms`. `held_s`: topic -> held back for so long."""
        self._forget()
        self.of("shopmeter_probe_seconds").observe(seconds)
        for topic, so_long in held_s.items():
            self.of("shopmeter_held_back_seconds", topic).set(so_long)
        for lag in chain.from_iterable(group.partitions for group in groups if self._apart):
            self.of("kafka_topic_partition_current_offset", lag.topic, str(lag.partition)).set(lag.end)
        for group in groups:
            self._tell(group, now_ms)
        self.lag_s = max((group.max_seconds(now_ms) for group in groups), default=0.0)
        self.become(True, "")

    def _tell(self, lags: GroupLag, now_ms: int) -> None:
        group = lags.group
        sums: dict[str, int] = {}
        for lag in lags.partitions:
            sums[lag.topic] = sums.get(lag.topic, 0) + lag.records
            if not self._apart:
                continue
            place = (lag.topic, str(lag.partition))
            self.of("kafka_consumergroup_current_offset", group, *place).set(lag.committed)
            self.of("kafka_consumergroup_lag", group, *place).set(lag.records)
            in_seconds = self.of("kafka_consumergroup_group_lag_seconds", self._cluster_name, group, *place)
            in_seconds.set(lag.seconds(now_ms))
        for topic, records in sums.items():
            self.of("kafka_consumergroup_lag_sum", group, topic).set(records)
        worst = self.of("kafka_consumergroup_group_max_lag_seconds", self._cluster_name, group)
        worst.set(lags.max_seconds(now_ms))

    def on_conserved(self, records: Mapping[str, int]) -> None:
        """The accounts were read; what was compared -> records missing or too many. See `streams.conservation`."""
        self.clear("shopmeter_conservation_")
        for check, count in records.items():
            self.of("shopmeter_conservation_mismatch", check).set(count)
        self.of("shopmeter_audited_timestamp_seconds").set_to_current_time()

    def on_unaudited(self) -> None:
        """The accounts could not be read. Nothing is told rather than an old answer."""
        self.clear("shopmeter_conservation_")

    def on_failed(self, reason: str) -> None:
        """A measurement failed. No lag is told rather than an old one."""
        self.lag_s = math.inf
        self._forget()
        self.of("shopmeter_probe_failures_total").inc()
        self.become(False, reason)

    def _forget(self) -> None:
        self.clear("kafka_")
        self.clear("shopmeter_held_back_")


def _is_partition_gauge(name: str) -> bool:
    return name in SIGNALS and SIGNALS[name].labels == ("partition",)


def _size(directory: Path) -> float:
    """Bytes below a directory. Files and directories may go while it is read; they count nothing then."""
    total = 0
    for parent, _, names in os.walk(directory):
        for name in names:
            with suppress(FileNotFoundError):
                total += os.stat(os.path.join(parent, name)).st_size
    return float(total)
