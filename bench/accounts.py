"""What worker and sink tell of themselves, kept as JSON lines: moments as they come, sums at the end.

Moments are in seconds of the monotonic clock, which all processes of a machine share.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from bench.usage import usage
from schemas.topics import SOURCES
from sinks import telemetry as sink_telemetry
from streams.engine import telemetry as engine_telemetry


class _Account:
    """A file that grows by a line for each moment; there are few."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def tell(self, moment: str, **values: Any) -> None:
        line = {"moment": moment, "at": time.monotonic(), "cpu_s": time.process_time(), **values}
        # Opened for each of the few lines: the process may end by a kill at any time.
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")


def read(path: Path) -> list[dict[str, Any]]:
    """The lines so far; a last one that is not whole yet is left out."""
    if not path.exists():
        return []
    return [msgspec.json.decode(line) for line in path.read_bytes().split(b"\n")[:-1]]


def moments(path: Path, moment: str) -> list[dict[str, Any]]:
    """The lines of one kind."""
    return [line for line in read(path) if line["moment"] == moment]


class WorkerAccount(engine_telemetry.NoTelemetry):
    """A worker's: when it was ready, when it processed first, what it had done when it stopped."""

    def __init__(self, path: Path) -> None:
        self._account = _Account(path)
        self._events = 0
        self._epochs = 0
        self._process_s = 0.0
        self._gc_s = 0.0
        self._rows: dict[str, int] = {}
        self._changelog_bytes = 0
        self._buckets: dict[str, int] = {}
        self._last: tuple[float, float] = (0.0, 0.0)

    def ready(self, ready: bool) -> None:
        """Processing from here on; or stopping, with everything committed but the last epoch."""
        self._account.tell("ready" if ready else "stopping")

    def on_chunk(self, topic: str, partition: int, records: int, seconds: float) -> None:
        """The first is a moment, the others are summed."""
        if not self._events:
            self._account.tell("first_chunk", seconds=seconds)
        self._events += records
        self._process_s += seconds

    def on_epoch(
        self,
        partition: int,
        seconds: float,
        commit_seconds: float,
        rows: Mapping[str, int],
        changelog_bytes: int,
    ) -> None:
        """Summed."""
        self._epochs += 1
        self._changelog_bytes += changelog_bytes
        for table, count in rows.items():
            self._rows[table] = self._rows.get(table, 0) + count

    def on_counts(self, partition: int, counts: Mapping[tuple[str, str, str], int]) -> None:
        """Of source topics only. The last such epoch is the end of the measured part."""
        source = [(bucket, count) for (topic, bucket, _), count in counts.items() if topic in SOURCES]
        for bucket, count in source:
            self._buckets[bucket] = self._buckets.get(bucket, 0) + count
        if source:
            self._last = time.monotonic(), time.process_time()

    def on_gc(self, generation: int, seconds: float) -> None:
        """Summed."""
        self._gc_s += seconds

    def on_restore(self, partition: int, records: int, seconds: float) -> None:
        """A moment."""
        self._account.tell("restored", partition=partition, records=records, seconds=seconds)

    def on_partition_closed(self, partition: int) -> None:
        """The end of a partition: the sums so far."""
        self._account.tell(
            "sums",
            committed=sum(self._buckets.values()),
            buckets=self._buckets,
            epochs=self._epochs,
            rows=self._rows,
            changelog_bytes=self._changelog_bytes,
            process_s=self._process_s,
            gc_s=self._gc_s,
            last_commit_at=self._last[0],
            last_commit_cpu_s=self._last[1],
            peak_mb=usage().peak_mb,
        )


class SinkAccount(sink_telemetry.NoTelemetry):
    """A sink's: when it was ready, and what it had inserted when it stopped. Watermarks are not counted as rows."""

    def __init__(self, path: Path) -> None:
        self._account = _Account(path)
        self._rows: dict[str, int] = {}
        self._inserts = 0
        self._insert_s = 0.0
        self._failures = 0
        self._last: tuple[float, float] = (0.0, 0.0)
        self._ready = False

    def on_insert(self, table: str, rows: int, seconds: float) -> None:
        """Summed; the last one is the end of the measured part."""
        self._inserts += 1
        self._insert_s += seconds
        if table != "watermarks":
            self._rows[table] = self._rows.get(table, 0) + rows
            self._last = time.monotonic(), time.process_time()

    def on_failure(self, table: str, code: int) -> None:
        """Summed: a bench with failed inserts measures something else."""
        self._failures += 1

    def ready(self, is_ready: bool) -> None:
        """A moment; the sums when it ends."""
        if is_ready and not self._ready:
            self._account.tell("ready")
        self._ready = is_ready
        if not is_ready:
            self._account.tell(
                "sums",
                rows=self._rows,
                inserts=self._inserts,
                insert_s=self._insert_s,
                failures=self._failures,
                last_insert_at=self._last[0],
                last_insert_cpu_s=self._last[1],
                peak_mb=usage().peak_mb,
            )
