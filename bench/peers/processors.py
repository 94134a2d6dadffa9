"""The processors alone, over bytes in memory: decode, judge, apply, write rows and state. No Kafka, state in dicts.

The log is taken in slices, each partition's records by topic, as a worker takes them while it catches up. Garbage is
collected as the worker does it.
"""

import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from bench.history import records_of, the_history
from bench.peer import PeerResult, Stopwatch, main
from bench.tasks import ProcessorsTask
from deploy.simulator import SimRecord
from deploy.simulator.partitioning import Partitioner
from processors.pipeline import make_factory
from schemas.epoch import Outgoing, PartitionProcessor, Record
from schemas.topics import FORWARDED, SOURCES
from streams.engine.collector import Collector
from streams.engine.state.memory import MemoryStore

CHUNK_RECORDS = 2_000

_Slice = list[tuple[int, str, list[Record]]]
"""(partition, short topic, records of a chunk)"""


class Lane:
    """One partition: its processor and its state."""

    def __init__(self, processor: PartitionProcessor, store: MemoryStore) -> None:
        self.processor = processor
        self.store = store
        self.epoch = 0
        self.rows = 0
        self.report: bytes | None = None
        self.sent: list[Outgoing] = []

    def commit(self) -> tuple[float, float]:
        """End the epoch; CPU seconds of making rows and of writing state."""
        began = time.process_time()
        epoch = self.processor.flush()
        flushed = time.process_time()
        if epoch is not None:
            self.epoch += 1
            expired = self.store.expired(epoch.expire_before_day, 2_000)
            pending = self.store.begin(epoch, number=self.epoch, offsets={}, expired=expired)
            self.store.commit(pending, self.store.changelog_offset + len(pending.records))
            self.rows += sum(len(rows) for rows in epoch.rows.values())
            self.report = epoch.report
            self.sent = [sent for sent in epoch.outgoing if sent.topic == FORWARDED]
        return flushed - began, time.process_time() - flushed


def slices(records: Iterable[SimRecord], partitions: int, size: int) -> Iterator[_Slice]:
    """The log cut into slices of `size` records, each as chunks of a partition and a topic."""
    partition_of = Partitioner(partitions)
    taken = iter(records)
    offset = 0
    while block := list(islice(taken, size)):
        lanes: dict[tuple[int, str], list[Record]] = {}
        for record in block:
            offset += 1
            made = Record(offset, record.timestamp_ms, record.key, record.value)
            lanes.setdefault((partition_of(record.key), record.topic), []).append(made)
        yield [
            (partition, topic, chunk[at : at + CHUNK_RECORDS])
            for (partition, topic), chunk in sorted(lanes.items(), key=lambda lane: lane[0])
            for at in range(0, len(chunk), CHUNK_RECORDS)
        ]


def run(task: ProcessorsTask) -> PeerResult:
    """All records, a flush of every partition after each slice."""
    now_ms = time.time_ns() // 1_000_000
    records = records_of(task.events, task.people, task.days, cache=Path(task.cache), stamped_at_ms=now_ms)
    work = list(slices(records, task.partitions, task.slice_events))
    factory = make_factory(
        the_history(task.events, task.people, task.days).settings(), partitions=task.partitions
    )
    lanes = []
    for number in range(task.partitions):
        store = MemoryStore(number)
        lanes.append(Lane(factory(number, store, None), store))
    collected: list[float] = []
    collector = Collector(lambda generation, seconds: collected.append(seconds))
    collector.start()
    mail: list[list[Record]] = [[] for _ in lanes]
    events = 0
    flush_s = state_s = 0.0
    idle: frozenset[str] = frozenset()
    watch = Stopwatch()
    for chunks in work:
        # What partitions have sent each other is taken with the next slice, as a worker does.
        letters = [(number, FORWARDED, mail[number]) for number in range(len(lanes)) if mail[number]]
        mail = [[] for _ in lanes]
        for partition, topic, chunk in [*letters, *chunks]:
            processor = lanes[partition].processor
            processor.observe(now_ms=now_ms, idle=idle)
            processor.process(topic, chunk)
            events += len(chunk) if topic != FORWARDED else 0
        if chunks is work[-1]:
            idle = frozenset(SOURCES)
        for lane in lanes:
            flushing, storing = lane.commit()
            flush_s += flushing
            state_s += storing
            collector.between()
        for lane in lanes:
            for sent in lane.sent:
                assert sent.partition is not None
                timestamp = now_ms if sent.timestamp is None else sent.timestamp
                mail[sent.partition].append(Record(0, timestamp, sent.key, sent.value, sent.headers))
            lane.sent = []
        for number, lane in enumerate(lanes):
            if lane.report is not None:
                for other in lanes:
                    other.processor.hear(number, lane.report)
                lane.report = None
    result = watch.result(events, flush_cpu_s=flush_s, state_cpu_s=state_s, gc_s=sum(collected))
    collector.stop()
    rows = sum(lane.rows for lane in lanes)
    result.detail |= {
        "rows": rows,
        "rows_per_event": rows / events,
        "process_cpu_s": result.cpu_s - flush_s - state_s,
    }
    return result


if __name__ == "__main__":
    main(ProcessorsTask, run)
