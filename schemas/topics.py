"""Every Kafka topic of the pipeline, once, as data: what is in it, how it is kept, who writes it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

DAY_MS: Final = 86_400_000

DEFAULT_PREFIX: Final = "shop."
DEFAULT_PARTITIONS: Final = 8

# The six co-partitioned event topics, in the order of ties (decisions H31): the position is the rank.
SOURCES: Final = ("session", "impression", "click", "cart", "order", "journey-node")

# What workers send each other: events that came to the wrong partition, and news of orders (decisions H51).
FORWARDED: Final = "forwarded"
# Names and status of what events mention. Its records have no event time: they hold nothing back, and wait for nothing.
DEFINITION: Final = "definition"
# Everything that a worker reads, co-partitioned.
INPUTS: Final = (*SOURCES, DEFINITION, FORWARDED)
TIMELESS: Final = frozenset({DEFINITION, FORWARDED})

# Source records may be read again for two weeks: the attribution window plus the longest outage we plan for.
SOURCE_RETENTION_MS: Final = 14 * DAY_MS
# A clock further ahead than this is refused by the broker itself; `in_future` uses the same bound.
FUTURE_BOUND_MS: Final = 600_000
MAX_EVENT_BYTES: Final = 262_144
# A dead letter carries the record and its headers; a changelog value may hold a person's whole week.
MAX_RECORD_BYTES: Final = 4 * 1_048_576


class Kind(StrEnum):
    """What a topic is for; it decides who reads it and how it is kept."""

    SOURCE = "source"
    FORWARDED = "forwarded"
    ROWS = "rows"
    CHANGELOG = "changelog"
    DEAD_LETTER = "dead_letter"
    DEFINITION = "definition"
    PROGRESS = "progress"


class Topic(NamedTuple):
    """One topic: full name, kind, and the broker settings it must have (`name -> value` as Kafka spells them)."""

    name: str
    kind: Kind
    config: Mapping[str, str]
    partitions: int | None = None
    """None: as many as the installation has."""


_COMMON = {"min.insync.replicas": "1", "compression.type": "producer"}
_SOURCE = {
    **_COMMON,
    "cleanup.policy": "delete",
    "retention.ms": str(SOURCE_RETENTION_MS),
    "message.timestamp.type": "CreateTime",
    "message.timestamp.after.max.ms": str(FUTURE_BOUND_MS),
    # Above our own limit, so that an event that is too large reaches us and becomes a dead letter with a reason.
    "max.message.bytes": str(4 * MAX_EVENT_BYTES),
}
_FORWARDED = {**_SOURCE, "max.message.bytes": str(MAX_RECORD_BYTES)}
_COMPACTED = {
    **_COMMON,
    "cleanup.policy": "compact",
    "retention.ms": "-1",
    "max.message.bytes": str(MAX_RECORD_BYTES),
    # Deletions must be compacted away within a day, and be seen by a worker that was away for a week.
    "max.compaction.lag.ms": str(DAY_MS),
    "delete.retention.ms": str(7 * DAY_MS),
}
_DEFINITION = {
    **_COMPACTED,
    "message.timestamp.type": "CreateTime",
    "message.timestamp.after.max.ms": str(FUTURE_BOUND_MS),
    "max.message.bytes": str(4 * MAX_EVENT_BYTES),
    # Of a thing's definitions the last may take effect in a month, the one before it now: a worker that was away must
    # find both, for as long as it finds the events.
    "min.compaction.lag.ms": str(SOURCE_RETENTION_MS),
    "max.compaction.lag.ms": str(SOURCE_RETENTION_MS + DAY_MS),
    "delete.retention.ms": str(SOURCE_RETENTION_MS),
}
_DEAD_LETTER = {
    **_COMMON,
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "max.message.bytes": str(MAX_RECORD_BYTES),
}


def row_key(table: str, key: bytes) -> bytes:
    """The key of a rows record. Its table comes first: all tables share the topic, and compaction must keep each."""
    return b"%b/%b" % (table.encode(), key)


def table_of(key: bytes | None) -> str:
    """The table that a rows record is for; empty when its key names none."""
    table, slash, _ = (key or b"").partition(b"/")
    return table.decode("ascii", "replace") if slash else ""


class Topics:
    """The topics of one installation: `prefix` before every name, `application` before the changelog's.

    >>> Topics().source("impression")
    'shop.impression'
    """

    def __init__(self, prefix: str = DEFAULT_PREFIX, application: str = "shopmeter") -> None:
        self.prefix = prefix
        self.application = application
        self.sources: Final = tuple(prefix + name for name in SOURCES)
        # What an earlier application sent itself is not for this one, which computes everything again.
        self.forwarded: Final = f"{application}-{FORWARDED}"
        self.inputs: Final = tuple(self.source(name) for name in INPUTS)
        self.rows: Final = prefix + "rows"
        self.interventions: Final = prefix + "interventions"
        self.dead_letter: Final = prefix + "dead-letter"
        self.definition: Final = prefix + DEFINITION
        self.changelog: Final = f"{application}-changelog"
        self.progress: Final = f"{application}-progress"

    def source(self, name: str) -> str:
        """`impression` -> `shop.impression`; KeyError for a name that is no input topic."""
        if name not in INPUTS:
            raise KeyError(name)
        return self.forwarded if name == FORWARDED else self.prefix + name

    def output(self, name: str) -> str:
        """A topic that processors name: `dead-letter` -> `shop.dead-letter`, `forwarded` -> `shopmeter-forwarded`."""
        return self.forwarded if name == FORWARDED else self.prefix + name

    def short(self, topic: str) -> str:
        """`shop.impression` -> `impression`."""
        return FORWARDED if topic == self.forwarded else topic.removeprefix(self.prefix)

    @property
    def sunk(self) -> tuple[str, ...]:
        """What the sinks read, co-partitioned: rows, what was done by hand, dead letters."""
        return (self.rows, self.interventions, self.dead_letter)

    def all(self) -> tuple[Topic, ...]:
        """Every topic that must exist."""
        return (
            *(Topic(name, Kind.SOURCE, _SOURCE) for name in self.sources),
            Topic(self.forwarded, Kind.FORWARDED, _FORWARDED),
            Topic(self.definition, Kind.DEFINITION, _DEFINITION),
            Topic(self.rows, Kind.ROWS, _COMPACTED),
            Topic(self.interventions, Kind.ROWS, _COMPACTED),
            Topic(self.dead_letter, Kind.DEAD_LETTER, _DEAD_LETTER),
            Topic(self.changelog, Kind.CHANGELOG, _COMPACTED),
            # One partition: what partitions report of each other must be read in the order in which it was said.
            Topic(self.progress, Kind.PROGRESS, _COMPACTED, 1),
        )
