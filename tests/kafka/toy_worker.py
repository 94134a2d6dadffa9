"""A whole worker around a toy: counts events per key, writes one row a touched key. Run as a process by the tests.

Usage: python -m tests.kafka.toy_worker '<json of Toy fields>'. It logs to stderr; a line that starts with `toy:`
is a fact that a test waits for. Event values are JSON-free on purpose: `<event time ms>`, or `poison`.
"""

import json
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from schemas.epoch import Epoch, Outgoing, SourceRecord, StateReader, Stored
from schemas.topics import Topics
from streams.engine.telemetry import NoTelemetry
from streams.settings import Settings, load_settings
from streams.worker import run_worker

TABLE = "toys"
POISON = b"poison"
TIME_BYTES = 13


@dataclass(frozen=True)
class Toy:
    """One toy worker."""

    bootstrap: str
    application: str
    prefix: str
    partitions: int = 4
    instance: str = "0"
    state_dir: str = ""
    """Empty: state in memory."""
    data_dir: str = "."
    options: dict[str, Any] = field(default_factory=dict)
    chunk_sleep: float = 0.0

    def topics(self) -> Topics:
        """Its topics."""
        return Topics(self.prefix, self.application)

    def settings(self) -> Settings:
        """Its settings; `options` are the worker's."""
        worker: dict[str, Any] = {"instance": self.instance, **self.options}
        worker["state_backend"] = "rocksdb" if self.state_dir else "memory"
        if self.state_dir:
            worker["state_dir"] = self.state_dir
        return load_settings(
            application=self.application,
            topic_prefix=self.prefix,
            partitions=self.partitions,
            data_dir=self.data_dir,
            kafka={"bootstrap": self.bootstrap},
            worker=worker,
        )

    def argv(self) -> list[str]:
        """The command line that runs it."""
        return [sys.executable, "-m", "tests.kafka.toy_worker", json.dumps(asdict(self))]


class CountingProcessor:
    """State: key -> count (8 bytes). A row: key -> `count`. Every event gets into exactly one count."""

    def __init__(
        self, partition: int, state: StateReader, meta: bytes | None, *, chunk_sleep: float = 0.0
    ) -> None:
        self.partition = partition
        self._state = state
        self._total = int(meta or b"0")
        self._counts: dict[bytes, int] = {}
        self._dirty: set[bytes] = set()
        self._times: dict[str, int] = {}
        self._outgoing: list[Outgoing] = []
        self._idle: frozenset[str] = frozenset()
        self._flushed_idle: frozenset[str] = frozenset()
        self._chunk_sleep = chunk_sleep
        self._changed = False
        self._spread = 1.0

    def observe(self, *, now_ms: int, idle: frozenset[str]) -> None:
        """Only the idle topics matter to a toy: a change of them is written as an outgoing record."""
        self._idle = idle

    def hear(self, partition: int, report: bytes) -> None:
        """Nobody reports."""

    def process(self, topic: str, records: Sequence[SourceRecord]) -> None:
        """Count."""
        if self._chunk_sleep:
            time.sleep(self._chunk_sleep)
        counts, dirty, state = self._counts, self._dirty, self._state
        newest = self._times.get(topic, 0)
        for record in records:
            key, value = record.key, record.value
            if key is None or value is None or value == POISON:
                raise ValueError(f"poison at offset {record.offset}")
            count = counts.get(key)
            if count is None:
                stored = state.get(key)
                count = int.from_bytes(stored) if stored else 0
            counts[key] = count + 1
            dirty.add(key)
            at = int(value[:TIME_BYTES])
            if at > newest:
                newest = at
        self._times[topic] = newest
        if len(self._times) > 1 and not self._idle:
            spread = (max(self._times.values()) - min(self._times.values())) / 3_600_000
            if spread > self._spread:
                self._spread = spread
                say(f"spread_hours {spread:.2f}")
        self._total += len(records)
        self._changed = True

    def flush(self) -> Epoch | None:
        """All counts that changed."""
        if not self._changed and self._idle == self._flushed_idle:
            return None
        if self._idle != self._flushed_idle:
            idle = ",".join(sorted(self._idle)).encode()
            self._outgoing.append(Outgoing("dead-letter", b"idle", idle, None, (("partition", b"x"),)))
        counts = self._counts
        state: dict[bytes, Stored | None] = {key: Stored(0, counts[key].to_bytes(8)) for key in self._dirty}
        rows = [(key, b"%d" % counts[key]) for key in self._dirty]
        epoch = Epoch(b"%d" % self._total, state, (), {TABLE: rows}, tuple(self._outgoing), 0)
        self._dirty.clear()
        self._outgoing.clear()
        self._changed, self._flushed_idle = False, self._idle
        return epoch

    @property
    def pending(self) -> int:
        """A toy's row and state are about this large."""
        return 60 * len(self._dirty)

    def topic_times(self) -> Mapping[str, int]:
        """Largest time of each topic."""
        return self._times

    def counts(self) -> Mapping[tuple[str, str, str], int]:
        """Not counted."""
        return {}

    def gauges(self) -> Mapping[str, float]:
        """One."""
        return {"total": float(self._total)}


class Printed(NoTelemetry):
    """Facts for the tests, on stderr."""

    def __init__(self) -> None:
        self.records = 0
        self.began: float | None = None

    def ready(self, ready: bool) -> None:
        """Say it."""
        say(f"ready {ready} cpu {time.process_time():.2f}")

    def on_chunk(self, topic: str, partition: int, records: int, seconds: float) -> None:
        """Count; the first one is when processing began."""
        if self.began is None:
            self.began = time.monotonic()
            say("first chunk")
        self.records += records

    def on_epoch(
        self,
        partition: int,
        seconds: float,
        commit_seconds: float,
        rows: Mapping[str, int],
        changelog_bytes: int,
    ) -> None:
        """Say how far it is."""
        say(
            f"epoch p{partition} {seconds:.3f} {commit_seconds:.3f} rows {sum(rows.values())} bytes {changelog_bytes}"
            f" records {self.records} cpu {time.process_time():.2f} at {time.monotonic():.3f}"
        )

    def on_restore(self, partition: int, records: int, seconds: float) -> None:
        """Say it."""
        say(f"restored {partition} {records} {seconds:.3f}")

    def on_aligned(self, partition: int, topics: int) -> None:
        """Say it."""
        say(f"aligned {partition} {topics}")

    def on_gc(self, found: int, seconds: float) -> None:
        """Say what took long."""
        if seconds > 0.02:
            say(f"gc found {found} in {seconds:.3f}")


def say(fact: str) -> None:
    """One line for a test."""
    sys.stderr.write(f"toy: {fact}\n")
    sys.stderr.flush()


def main() -> int:
    """Run until a signal."""
    toy = Toy(**json.loads(sys.argv[1]))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    logging.getLogger("faust").setLevel(logging.WARNING)

    def factory(partition: int, state: StateReader, meta: bytes | None) -> CountingProcessor:
        return CountingProcessor(partition, state, meta, chunk_sleep=toy.chunk_sleep)

    return run_worker(toy.settings(), factory, telemetry=Printed())


if __name__ == "__main__":
    sys.exit(main())
