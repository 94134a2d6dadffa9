"""Every operational signal as data: registries and docs/telemetry.md are made from it.

Signals say how the pipeline runs; what a shop sells is a metric, and stands in the catalogue of metrics. No label names
a store, a person or a product: a signal has some dozens of series, whatever is sold to whomever.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from itertools import pairwise
from typing import Final, NamedTuple

PREFIX: Final = "shopmeter_"
FILE: Final = "docs/telemetry.md"

MAX_PARTITION_SERIES: Final = 99
"""With more partitions than this, signals with the label `partition` keep one series, `partition="all"`, or none."""


class Kind(StrEnum):
    """What Prometheus takes it for."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Role(StrEnum):
    """The process that exposes a signal."""

    WORKER = "worker"
    SINK = "sink"
    PROBE = "probe"


LABELS: Final[Mapping[str, str]] = {
    "topic": "Kafka topic; short (`impression`) in our own signals, full (`shop.impression`) in the probe's",
    "partition": "partition number",
    "table": "table of ClickHouse",
    "bucket": "what became of a record: accepted, duplicate, test_traffic, dead_letter, too_late, forwarded",
    "check": "what is compared: buckets (read with its buckets), forwarded (out with in), letters (ledger with table)",
    "reason": "why a record is not counted, of the closed list of reasons; empty for what is",
    "code": "error code of ClickHouse; 0 when no answer came",
    "version": "version of Shopmeter",
    "python": "version of Python",
    "role": "worker, sink or probe",
    "consumergroup": "consumer group, as kafka_exporter calls it",
    "group": "consumer group, as kafka-lag-exporter calls it",
    "cluster_name": "name of the installation (`application`), as kafka-lag-exporter calls it",
}
"""The closed list of labels."""

SUFFIXES: Final = {"seconds": "_seconds", "bytes": "_bytes"}
UNITS: Final = frozenset(
    {
        *SUFFIXES,
        "1",
        "keys",
        "objects",
        "offset",
        "partitions",
        "people",
        "records",
        "rows",
        "times",
        "topics",
    }
)
_NOT_BASE_UNITS: Final = re.compile(
    r"_(ms|millis\w*|micros\w*|nanos\w*|minutes|hours|days|kb|mb|kib|mib|(?:kilo|mega|giga|kibi|mebi)bytes)(_|$)"
)
# Names that others gave, so that their dashboards and rules work on ours: not our prefix, and lag is a gauge of records.
_FOREIGN: Final = ("kafka_consumergroup_", "kafka_topic_partition_")

QUICK: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
SLOW: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LONG: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
SIZES: Final = (1024.0, 16_384.0, 131_072.0, 1_048_576.0, 4_194_304.0, 16_777_216.0, 67_108_864.0)


class Signal(NamedTuple):
    """One signal. `name` in full, a counter's with its `_total`; `buckets`: upper bounds of a histogram, ascending."""

    name: str
    kind: Kind
    unit: str
    roles: tuple[Role, ...]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


class BadSignal(ValueError):
    """A signal breaks a rule of naming. Names the signal and the rule."""


_WORKER, _SINK, _PROBE = (Role.WORKER,), (Role.SINK,), (Role.PROBE,)
_ALL = tuple(Role)
_C, _G, _H = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM
_GROUP_PARTITION = ("consumergroup", "topic", "partition")

_DECLARED: Final = (
    # every process
    Signal("shopmeter_build_info", _G, "1", _ALL, "Always 1; which build runs.", ("version", "python", "role")),
    Signal("shopmeter_ready", _G, "1", _ALL, "1 when the process does its work (as `/ready`), else 0."),
    # worker: records in
    Signal("shopmeter_read_records_total", _C, "records", _WORKER, "Records processed.", ("topic",)),
    Signal("shopmeter_records_total", _C, "records", _WORKER,
           "Committed records by what became of them; each is in one bucket, and a forwarded one again where it lands.",
           ("topic", "bucket", "reason")),
    Signal("shopmeter_unread_expired_records_total", _C, "records", _WORKER,
           "Records that retention deleted before they were read: lost. Must stay 0.", ("topic",)),
    Signal("shopmeter_chunk_seconds", _H, "seconds", _WORKER, "Processing of one chunk of records.", ("topic",), QUICK),
    Signal("shopmeter_watermark_timestamp_seconds", _G, "seconds", _WORKER,
           "Event time up to which a partition is complete, in seconds since 1970.", ("partition",)),
    Signal("shopmeter_floor_timestamp_seconds", _G, "seconds", _WORKER,
           "Event time by which a partition's state expires: the least watermark of busy partitions.", ("partition",)),
    Signal("shopmeter_aligned_topics", _G, "topics", _WORKER,
           "Topics of a partition held back while catching up, since they run ahead of the slowest.", ("partition",)),
    # worker: epochs out
    Signal("shopmeter_epoch_seconds", _H, "seconds", _WORKER,
           "From an epoch's first chunk until it is committed.", (), SLOW),
    Signal("shopmeter_commit_seconds", _H, "seconds", _WORKER, "The Kafka transaction of one epoch.", (), SLOW),
    Signal("shopmeter_epoch_bytes", _H, "bytes", _WORKER, "State changelog of one epoch, compressed.", (), SIZES),
    Signal("shopmeter_rows_total", _C, "rows", _WORKER, "Rows committed to the rows topic.", ("table",)),
    Signal("shopmeter_event_to_row_seconds", _H, "seconds", _WORKER,
           "From the time of an epoch's newest event until its rows are committed.", (), LONG),
    # worker: state and membership
    Signal("shopmeter_state_bytes", _G, "bytes", _WORKER, "Size of the local state on disk."),
    Signal("shopmeter_state_keys", _G, "keys", _WORKER, "About how many keys a partition's state has.", ("partition",)),
    Signal("shopmeter_cached_people", _G, "people", _WORKER, "People whose state is decoded in memory.", ("partition",)),
    Signal("shopmeter_assigned_partitions", _G, "partitions", _WORKER, "Partition numbers this worker owns."),
    Signal("shopmeter_rebalances_total", _C, "times", _WORKER, "Assignments taken."),
    Signal("shopmeter_restore_seconds", _H, "seconds", _WORKER, "Restore of one partition's state.", (), LONG),
    Signal("shopmeter_restored_records_total", _C, "records", _WORKER, "Changelog records read to restore state."),
    Signal("shopmeter_gc_seconds", _H, "seconds", _WORKER,
           "A garbage collection between epochs.", (), QUICK),
    Signal("shopmeter_gc_found_total", _C, "objects", _WORKER, "Objects in cycles, which only a collection could free."),
    # sink
    Signal("shopmeter_inserted_rows_total", _C, "rows", _SINK, "Rows stored in ClickHouse.", ("table",)),
    Signal("shopmeter_insert_seconds", _H, "seconds", _SINK, "One insert, retries not counted.", ("table",), SLOW),
    Signal("shopmeter_insert_failures_total", _C, "times", _SINK, "Inserts that failed.", ("table", "code")),
    Signal("shopmeter_visible_timestamp_seconds", _G, "seconds", _SINK,
           "Record time of the newest visible row, in seconds since 1970.", ("table",)),
    Signal("shopmeter_freshness_seconds", _G, "seconds", _SINK,
           "Age of the newest visible row now. It also grows when nothing is sent; lag tells which it is.", ("table",)),
    Signal("shopmeter_row_to_visible_seconds", _H, "seconds", _SINK,
           "From a row's commit by the worker until it is visible, for the newest row of each flush.", ("table",), LONG),
    # probe
    Signal("shopmeter_probe_seconds", _H, "seconds", _PROBE, "One measurement of all groups.", (), SLOW),
    Signal("shopmeter_probe_failures_total", _C, "times", _PROBE,
           "Measurements that failed. All lag series go until the next success; none keeps an old value."),
    Signal("shopmeter_held_back_seconds", _G, "seconds", _PROBE,
           "For how long an open transaction has kept readers of a topic at the same place, in its worst partition."
           " Lag does not show it. Beyond three times the transaction timeout nobody will end it.", ("topic",)),
    Signal("shopmeter_conservation_mismatch", _G, "records", _PROBE,
           "Records that an account in ClickHouse lacks or has too many. Must be 0; no series: not known, since"
           " ClickHouse does not answer, lag is high, or less than a minute has been watched.", ("check",)),
    Signal("shopmeter_audited_timestamp_seconds", _G, "seconds", _PROBE,
           "When the accounts were read last, in seconds since 1970."),
    Signal("kafka_topic_partition_current_offset", _G, "offset", _PROBE,
           "End of a partition for readers of committed records (the last stable offset).", ("topic", "partition")),
    Signal("kafka_consumergroup_current_offset", _G, "offset", _PROBE,
           "Committed offset of a group; -1: it never committed.", _GROUP_PARTITION),
    Signal("kafka_consumergroup_lag", _G, "records", _PROBE,
           "Offsets between the committed one and the end, transaction markers too, so it may rest above 0."
           " A group that never committed has the whole log before it, since it begins at the earliest record.",
           _GROUP_PARTITION),
    Signal("kafka_consumergroup_lag_sum", _G, "records", _PROBE,
           "kafka_consumergroup_lag over all partitions of a topic.", ("consumergroup", "topic")),
    Signal("kafka_consumergroup_group_lag_seconds", _G, "seconds", _PROBE,
           "Age of the oldest record (by its timestamp) that the group has not committed; 0 when there is none,"
           " whatever markers lie behind the committed offset.", ("cluster_name", "group", "topic", "partition")),
    Signal("kafka_consumergroup_group_max_lag_seconds", _G, "seconds", _PROBE,
           "kafka_consumergroup_group_lag_seconds of the group's worst partition.", ("cluster_name", "group")),
)  # fmt: skip


def checked(signals: Iterable[Signal]) -> dict[str, Signal]:
    """Name -> signal. Raises BadSignal at the first that breaks a rule."""
    found: dict[str, Signal] = {}
    for signal in signals:
        for broken in _faults(signal):
            raise BadSignal(f"{signal.name}: {broken}")
        if signal.name in found:
            raise BadSignal(f"{signal.name}: declared twice")
        found[signal.name] = signal
    return found


def _faults(signal: Signal) -> Iterable[str]:
    name, kind = signal.name, signal.kind
    foreign = name.startswith(_FOREIGN)
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        yield "a name has lower-case words joined by underscores"
    if not foreign and not name.startswith(PREFIX):
        yield f"our names begin with {PREFIX}"
    if _NOT_BASE_UNITS.search(name):
        yield "names carry base units only: seconds, bytes"
    if signal.unit not in UNITS:
        yield f"unknown unit {signal.unit!r}; one of {', '.join(sorted(UNITS))}"
    if (kind is Kind.COUNTER) != name.endswith("_total"):
        yield "counters end in _total, and nothing else does"
    stem = name.removesuffix("_total")
    for unit, suffix in SUFFIXES.items():
        if (signal.unit == unit) != stem.endswith(suffix):
            yield f"exactly the signals in {unit} end in {suffix}"
    if stem.endswith(("_count", "_sum", "_bucket", "_created")) and not foreign:
        yield "Prometheus itself makes names that end so"
    if unknown := [label for label in signal.labels if label not in LABELS]:
        yield f"unknown label {', '.join(unknown)}; the list is closed, see LABELS"
    if len(set(signal.labels)) != len(signal.labels):
        yield "a label twice"
    if (kind is Kind.HISTOGRAM) != bool(signal.buckets):
        yield "histograms have buckets, and nothing else has"
    if any(low >= high for low, high in pairwise(signal.buckets)):
        yield "buckets must ascend"
    if not signal.roles:
        yield "no process exposes it"
    if not signal.help.endswith("."):
        yield "the help is a sentence"


SIGNALS: Final = checked(_DECLARED)
"""Name -> signal, in the order of the page."""


def signals_of(role: Role) -> list[Signal]:
    """What a process of this role exposes."""
    return [signal for signal in SIGNALS.values() if role in signal.roles]


_HEAD: Final = """\
# Telemetry

<!-- Rendered from schemas/telemetry.py by `make render`; do not edit. -->

Worker, sink and probe serve `GET /metrics` (Prometheus), `GET /live` (200 while its event loop answers) and `GET /ready`
(200, or 503 with the reason as JSON). Worker and sink listen where `worker.http_host` and `sink.http_host` and their
ports say (loopback and a free port by default), the probe where `--host` and `--port` say. Where it is stands in
`<data_dir>/run/<role>-<instance>.json`. The API has `GET /healthz`. Beside the signals below there are `process_*`
(CPU, memory, open files) and `python_*` of the Prometheus client.

Lag is measured by the probe, a process of its own: it asks the brokers, so it stays right when a worker hangs. Its names
and labels are those of kafka_exporter and kafka-lag-exporter. Judge "caught up" by seconds: under transactions the lag
in records may rest above 0, since commit markers take offsets.
"""


def rendered_files() -> dict[str, str]:
    """Path in the repository -> text."""
    parts = [_HEAD]
    for role in Role:
        mine = [signal for signal in signals_of(role) if signal.roles == (role,)]
        parts.append(_table(f"Of the {role.value}", mine))
    parts.insert(
        1, _table("Of every process", [signal for signal in SIGNALS.values() if len(signal.roles) > 1])
    )
    labels = "\n".join(f"| `{label}` | {text} |" for label, text in LABELS.items())
    parts.append(
        f"## Labels\n\nNo other label exists. With more than {MAX_PARTITION_SERIES} partitions the worker's signals have"
        ' one series `partition="all"` (the smallest watermark, else the sum), and the probe\'s by partition are left'
        f" out.\n\n| label | is |\n|---|---|\n{labels}\n"
    )
    return {FILE: "\n".join(parts)}


def _table(title: str, signals: Iterable[Signal]) -> str:
    lines = [f"## {title}", "", "| name | kind | unit | labels | what it says |", "|---|---|---|---|---|"]
    for signal in signals:
        labels = ", ".join(f"`{label}`" for label in signal.labels)
        lines.append(f"| `{signal.name}` | {signal.kind} | {signal.unit} | {labels} | {signal.help} |")
    return "\n".join(lines) + "\n"
