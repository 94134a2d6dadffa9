"""What engine, sink and probe tell arrives at Prometheus under the declared names, and only there."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from processors.counters import BUCKETS, REASONS
from schemas.telemetry import LABELS, PREFIX, SIGNALS, Role, signals_of
from sinks.telemetry import SinkTelemetry
from streams.engine.telemetry import EngineTelemetry
from streams.lag import GroupLag, PartitionLag
from streams.signals import Signals
from streams.telemetry import ProbeSignals, SinkSignals, WorkerSignals

SELF_MADE = ("process_", "python_")


def scraped(signals: Signals) -> Iterator[Any]:
    """The samples of a scrape, as Prometheus parses them, without those of the client library."""
    for family in text_string_to_metric_families(generate_latest(signals.registry).decode()):
        if not family.name.startswith(SELF_MADE):
            yield from family.samples


def told(signals: Signals) -> set[str]:
    """Declared names that have at least one series."""
    names = {sample.name for sample in scraped(signals)}
    return {name for name in SIGNALS if name in names or f"{name}_count" in names}


def worker_that_told_everything(partitions: int = 8) -> WorkerSignals:
    worker = WorkerSignals(partitions, state_dir=Path(__file__).parent)
    engine: EngineTelemetry = worker
    engine.on_rebalance([0, 1])
    engine.on_restore(0, 1000, 0.5)
    engine.on_unread_expired("order", 0, 2)
    engine.ready(True)
    engine.on_chunk("click", 0, 2000, 0.02)
    engine.on_epoch(0, 0.6, 0.05, {"sessions": 40, "orders": 2}, 5000)
    engine.on_counts(0, {("click", "accepted", ""): 1990, ("click", "dead_letter", "wrong_type"): 10})
    engine.on_gauges(0, {"watermark_ms": 1_700_000_000_500, "floor_ms": 1_600_000_000_000})
    engine.on_gauges(0, {"cached_people": 12, "state_keys": 99})
    engine.on_gauges(1, {"watermark_ms": 1_700_000_001_000, "cached_people": 30})
    engine.on_aligned(0, 3)
    engine.on_gc(120, 0.01)
    worker.on_event_to_row(0.7)
    return worker


def test_every_signal_of_the_worker_is_fed() -> None:
    worker = worker_that_told_everything()
    assert told(worker) == {signal.name for signal in signals_of(Role.WORKER)}
    value = worker.value
    assert value("shopmeter_read_records_total", "click") == 2000
    assert value("shopmeter_gc_found_total") == 120
    assert value("shopmeter_records_total", "click", "accepted", "") == 1990
    assert value("shopmeter_records_total", "click", "dead_letter", "wrong_type") == 10
    assert value("shopmeter_rows_total", "sessions") == 40
    assert value("shopmeter_epoch_seconds_sum") == 0.6
    assert value("shopmeter_commit_seconds_count") == 1
    assert value("shopmeter_epoch_bytes_sum") == 5000
    assert value("shopmeter_watermark_timestamp_seconds", "0") == 1_700_000_000.5
    assert value("shopmeter_floor_timestamp_seconds", "0") == 1_600_000_000
    assert value("shopmeter_cached_people", "1") == 30
    assert value("shopmeter_aligned_topics", "0") == 3
    assert value("shopmeter_restored_records_total") == 1000
    assert value("shopmeter_unread_expired_records_total", "order") == 2
    assert value("shopmeter_assigned_partitions") == 2
    assert value("shopmeter_rebalances_total") == 1
    assert value("shopmeter_gc_seconds_count") == 1
    assert (value("shopmeter_state_bytes") or 0) > 1000


def test_a_scrape_has_no_label_and_no_name_that_is_not_declared() -> None:
    for sample in scraped(worker_that_told_everything()):
        assert set(sample.labels) - {"le"} <= LABELS.keys(), sample
        stem = sample.name
        for suffix in ("_bucket", "_count", "_sum"):
            stem = stem.removesuffix(suffix)
        assert stem in SIGNALS, sample


def test_every_way_a_record_can_end_has_a_series_before_the_first_record() -> None:
    """A series that begins above 0 has no increase, so the first dead letter would raise no alert."""
    worker = WorkerSignals(8)
    buckets = {
        (sample.labels["bucket"], sample.labels["reason"])
        for sample in scraped(worker)
        if sample.name == "shopmeter_records_total" and sample.labels["topic"] == "forwarded"
    }
    assert {bucket for bucket, _ in buckets} == set(BUCKETS) - {"read"}
    assert {reason for bucket, reason in buckets if bucket == "dead_letter"} == set(REASONS)
    assert ("too_late", "too_late") in buckets


def test_a_worker_of_any_size_has_a_bounded_number_of_series() -> None:
    worker = worker_that_told_everything(partitions=3000)
    for partition in range(3000):
        worker.on_gauges(partition, {"watermark_ms": 1_700_000_000_000 + partition, "cached_people": 1})
    assert sum(1 for _ in scraped(worker)) < 500
    assert worker.value("shopmeter_watermark_timestamp_seconds", "all") == 1_700_000_000
    assert worker.value("shopmeter_cached_people", "all") == 3000
    worker.on_partition_closed(0)
    assert worker.value("shopmeter_watermark_timestamp_seconds", "all") == 1_700_000_000.001
    assert worker.value("shopmeter_cached_people", "all") == 2999


def test_a_partition_that_went_to_another_worker_leaves_no_old_gauge() -> None:
    worker = worker_that_told_everything()
    worker.on_partition_closed(0)
    worker.on_partition_closed(5)  # never had one
    assert worker.value("shopmeter_watermark_timestamp_seconds", "0") is None
    assert worker.value("shopmeter_watermark_timestamp_seconds", "1") == 1_700_000_001
    for partition in range(1, 8):
        worker.on_partition_closed(partition)
    assert worker.value("shopmeter_cached_people", "1") is None


def test_a_watermark_of_nothing_is_not_told_as_1970() -> None:
    worker = WorkerSignals(8)
    worker.on_gauges(0, {"watermark_ms": 0})
    assert worker.value("shopmeter_watermark_timestamp_seconds", "0") is None


def test_a_gauge_that_is_not_declared_is_logged_once_and_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    worker = WorkerSignals(8)
    with caplog.at_level(logging.ERROR):
        for name in ("total", "total", "ready"):  # `ready` is declared, but not by partition
            worker.on_gauges(0, {name: 1.0})
    assert [record.getMessage().split()[3] for record in caplog.records] == ["total", "ready"]
    assert worker.value("shopmeter_ready") == 0


def test_a_worker_says_what_it_waits_for() -> None:
    worker = WorkerSignals(8)
    assert worker.readiness == (False, "starting: no partitions are assigned yet")
    worker.on_rebalance([1, 2, 3])
    assert worker.readiness == (False, "restoring the state of 3 partitions")
    worker.ready(True)
    assert worker.readiness == (True, "")
    assert worker.value("shopmeter_ready") == 1
    worker.ready(False)
    assert worker.readiness == (False, "a rebalance is under way: partitions are being given out anew")
    assert worker.value("shopmeter_ready") == 0


def test_state_that_disappears_while_it_is_measured_counts_nothing(tmp_path: Path) -> None:
    worker = WorkerSignals(8, state_dir=tmp_path / "state")
    assert worker.value("shopmeter_state_bytes") == 0
    (tmp_path / "state" / "0").mkdir(parents=True)
    (tmp_path / "state" / "0" / "table.sst").write_bytes(b"x" * 700)
    (tmp_path / "state" / "0" / "gone").symlink_to(tmp_path / "nowhere")
    assert worker.value("shopmeter_state_bytes") == 700


def test_every_signal_of_the_sink_is_fed_and_freshness_ages() -> None:
    now = 1_700_000_010.0
    signals = SinkSignals(now=lambda: now)
    sink: SinkTelemetry = signals
    assert signals.readiness == (False, "starting: no partitions are assigned yet")
    sink.ready(True)
    sink.on_insert("orders", 500, 0.04)
    sink.on_visible("orders", 1_700_000_009_000)
    assert told(signals) == {signal.name for signal in signals_of(Role.SINK)}
    assert signals.value("shopmeter_inserted_rows_total", "orders") == 500
    assert signals.value("shopmeter_insert_seconds_count", "orders") == 1
    assert signals.value("shopmeter_visible_timestamp_seconds", "orders") == 1_700_000_009
    assert signals.value("shopmeter_row_to_visible_seconds_sum", "orders") == 1
    assert signals.value("shopmeter_freshness_seconds", "orders") == 1
    now += 60
    assert signals.value("shopmeter_freshness_seconds", "orders") == 61


def test_a_sink_says_which_inserts_fail_and_with_which_code() -> None:
    signals = SinkSignals()
    signals.ready(True)
    signals.on_failure("orders", 252)
    signals.ready(False)
    assert "inserts into orders fail with ClickHouse's code 252" in signals.readiness.reason
    assert signals.value("shopmeter_insert_failures_total", "orders", "252") == 1
    signals.on_insert("orders", 1, 0.1)
    signals.ready(True)
    assert signals.readiness == (True, "")
    signals.ready(False)
    assert signals.readiness.reason == "no partitions are assigned to this sink"


LAGS = [
    GroupLag(
        "shopmeter",
        (
            PartitionLag("shop.click", 0, committed=90, begin=0, end=100, oldest_ms=1_000),
            PartitionLag("shop.click", 1, committed=-1, begin=5, end=8, oldest_ms=9_000),
            PartitionLag("shop.order", 0, committed=7, begin=0, end=8, oldest_ms=None),
        ),
    ),
    GroupLag("shopmeter-sink", (PartitionLag("shop.rows.orders", 0, 3, 0, 3, None),)),
]

HELD = {"shop.click": 0.0, "shop.rows": 31.5}


def test_every_signal_of_the_probe_is_fed_under_the_names_of_the_exporters() -> None:
    probe = ProbeSignals("shopmeter", 8)
    probe.on_measured(LAGS, HELD, now_ms=11_000, seconds=0.1)
    probe.on_conserved({"buckets": 0})
    assert told(probe) == {signal.name for signal in signals_of(Role.PROBE)}
    value = probe.value
    assert value("kafka_consumergroup_lag", "shopmeter", "shop.click", "0") == 10
    assert value("kafka_consumergroup_lag", "shopmeter", "shop.click", "1") == 3
    assert value("kafka_consumergroup_current_offset", "shopmeter", "shop.click", "1") == -1
    assert value("kafka_consumergroup_lag_sum", "shopmeter", "shop.click") == 13
    assert value("kafka_topic_partition_current_offset", "shop.click", "0") == 100
    seconds = "kafka_consumergroup_group_lag_seconds"
    assert value(seconds, "shopmeter", "shopmeter", "shop.click", "0") == 10
    assert value(seconds, "shopmeter", "shopmeter", "shop.click", "1") == 2
    # A marker alone: one offset behind, and no time at all.
    assert value("kafka_consumergroup_lag", "shopmeter", "shop.order", "0") == 1
    assert value(seconds, "shopmeter", "shopmeter", "shop.order", "0") == 0
    assert value("kafka_consumergroup_group_max_lag_seconds", "shopmeter", "shopmeter") == 10
    assert value("kafka_consumergroup_group_max_lag_seconds", "shopmeter", "shopmeter-sink") == 0
    assert value("shopmeter_held_back_seconds", "shop.rows") == 31.5
    assert probe.readiness.ready


def test_a_probe_that_failed_tells_no_old_lag() -> None:
    probe = ProbeSignals("shopmeter", 8)
    probe.on_measured(LAGS, HELD, now_ms=11_000, seconds=0.1)
    probe.on_failed("the broker is away")
    assert not [sample for sample in scraped(probe) if not sample.name.startswith(PREFIX)]
    assert probe.value("shopmeter_held_back_seconds", "shop.rows") is None
    assert probe.value("shopmeter_probe_failures_total") == 1
    assert probe.readiness == (False, "the broker is away")


def test_a_partition_that_is_gone_leaves_no_lag() -> None:
    probe = ProbeSignals("shopmeter", 8)
    probe.on_measured(LAGS, HELD, now_ms=11_000, seconds=0.1)
    probe.on_measured(LAGS[1:], HELD, now_ms=12_000, seconds=0.1)
    assert probe.value("kafka_consumergroup_lag_sum", "shopmeter", "shop.click") is None


def test_a_probe_of_many_partitions_tells_sums_and_the_worst() -> None:
    probe = ProbeSignals("shopmeter", 100)
    probe.on_measured(LAGS, HELD, now_ms=11_000, seconds=0.1)
    assert not [sample for sample in scraped(probe) if "partition" in sample.labels]
    assert probe.value("kafka_consumergroup_lag_sum", "shopmeter", "shop.click") == 13
    assert probe.value("kafka_consumergroup_group_max_lag_seconds", "shopmeter", "shopmeter") == 10


def test_a_name_that_is_not_declared_or_not_of_this_process_is_a_bug() -> None:
    with pytest.raises(KeyError):
        WorkerSignals(8).of("shopmeter_insert_seconds", "orders")
