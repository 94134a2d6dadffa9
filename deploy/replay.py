"""Dead letters back to where they came from: what would pass now goes in at the front, exactly once, and nothing else.

Each letter is judged before it is sent, with the decoder and the stores that the workers have: what would be refused
again stays where it is. A replayed record keeps its topic, partition, key, headers and first timestamp, so it counts on
its own day. What is older than the allowed lateness can't go in live.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Final, NamedTuple

from deploy.dead_letters import PAGE, Letter, Wanted, find, watermarks
from deploy.fixing import Mended, mend
from deploy.query import Server
from deploy.send import Outbound
from processors.dead_letters import CUT
from processors.definitions import thing_of_key
from schemas.events.clock import event_time, is_in_future
from schemas.events.decode import decode, decode_definition
from schemas.instants import EARLIEST_MS
from schemas.partitioning import partition_of
from schemas.reasons import Reason, Rejected
from schemas.stores import Store
from schemas.topics import FORWARDED, SOURCES, Topics
from streams.interventions import Coordinates, Desk, Kind, Placed, open_desk, read_interventions
from streams.settings import Settings

REPLAY_OF: Final = "replay_of"
REPLAY_AT: Final = "replay_at"
REPLAY_FIXED: Final = "replay_fixed"
_OURS: Final = (REPLAY_OF, REPLAY_AT, REPLAY_FIXED, CUT)
_LONGEST_NUMBER: Final = 19


class Outcome(StrEnum):
    """What became of a letter."""

    REPLAYED = "replayed"
    BEFORE = "replayed before"
    AGAIN = "refused again"
    LEFT = "left by the script"
    REFUSED = "still refused"
    TOO_OLD = "too old to go in live"
    NO_EVENT = "no storefront's event"


@dataclass
class Report:
    """Letters by outcome, and those that are still refused by reason and field."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)


Progress = Callable[[Report], None]


class Judge(NamedTuple):
    """What decides whether a record would pass now."""

    stores: Mapping[str, Store]
    watermarks: Mapping[int, int]
    """By partition, as ClickHouse shows them: a worker's own may be a second further."""
    partitions: int

    def verdict(self, topic: str, record: Placed) -> Rejected | None:
        """Why it would be refused, None if it would not be."""
        try:
            if topic not in SOURCES:
                if decode_definition(record.value, self.stores) is None:
                    # A worker looks at a tombstone's key: unjudged, a wrong one would come back with every replay.
                    thing_of_key(record.key, self.stores)
                return None
            event = decode(topic, record.value, self.stores)
        except Rejected as rejected:
            return rejected
        at = event_time(event, record.timestamp_ms)
        if at < EARLIEST_MS:
            return Rejected(Reason.INVALID_TIME, "sent_at")
        if is_in_future(at, record.timestamp_ms):
            return Rejected(Reason.IN_FUTURE, "occurred_at")
        partition = record.partition
        if partition is None:
            partition = partition_of(record.key or b"", self.partitions)
        if at < self.watermarks.get(partition, 0) - self.stores[event.store_id].allowed_lateness_ms:
            return Rejected(Reason.TOO_LATE, "occurred_at")
        return None


async def replay(
    settings: Settings,
    server: Server,
    stores: Mapping[str, Store],
    wanted: Wanted,
    *,
    fix: Sequence[str] = (),
    dry_run: bool = False,
    progress: Progress = lambda _: None,
) -> Report:
    """Send back what would pass, in transactions of up to PAGE letters; a letter that was replayed before stays.

    `fix`: a program and its arguments, see `deploy.fixing`. After an error the batches before it are done, and running it
    again goes on from there. Raises FixFailed, QueryRefused, Unreachable, KafkaError.
    """
    started_ms = _now_ms()
    report = Report()
    found = _not_refused_again(find(server, wanted), started_ms, report)
    if dry_run:
        done = {
            Coordinates(row.topic, row.partition, row.offset)
            for row in await read_interventions(settings)
            if row.kind == Kind.REPLAY
        }
        for letters in _pages(found):
            _chosen(letters, done.__contains__, _judge(settings, server, stores), settings, fix, report)
            progress(report)
        return report
    async with open_desk(settings) as desk:
        for letters in _pages(found):
            await _send(desk, letters, _judge(settings, server, stores), settings, fix, report)
            progress(report)
    return report


def _not_refused_again(letters: Iterable[Letter], started_ms: int, report: Report) -> Iterator[Letter]:
    # What workers refuse again is a letter with a new place, behind those that are read: sent as a new one it would
    # go round for as long as the workers' stores are others than ours.
    for letter in letters:
        at = dict(letter.own_headers).get(REPLAY_AT, b"")
        # Up to now: a storefront that writes such a header itself must not keep its letter from every replay.
        if at.isdigit() and len(at) < _LONGEST_NUMBER and started_ms <= int(at) <= _now_ms():
            report.outcomes[Outcome.AGAIN] += 1
        else:
            yield letter


async def _send(
    desk: Desk,
    letters: Sequence[Letter],
    judge: Judge,
    settings: Settings,
    fix: Sequence[str],
    report: Report,
) -> None:
    chosen = _chosen(
        letters, lambda place: desk.is_done(Kind.REPLAY, place), judge, settings, fix, added := Report()
    )
    if chosen:
        await desk.do(Kind.REPLAY, [place for place, _ in chosen], [record for _, record in chosen])
    report.outcomes.update(added.outcomes)
    report.refused.update(added.refused)


def _judge(settings: Settings, server: Server, stores: Mapping[str, Store]) -> Judge:
    # For each page anew: while a long replay runs, watermarks move.
    return Judge(stores, watermarks(server), settings.partitions)


def _chosen(
    letters: Sequence[Letter],
    is_done: Callable[[Coordinates], bool],
    judge: Judge,
    settings: Settings,
    fix: Sequence[str],
    report: Report,
) -> list[tuple[Coordinates, Placed]]:
    """The letters to send, as records; all others are counted in the report with the cause."""
    chosen: list[tuple[Coordinates, Placed]] = []
    waiting: list[Letter] = []
    for letter in letters:
        if letter.source is None:
            report.outcomes[Outcome.NO_EVENT] += 1
        elif is_done(letter.place):
            report.outcomes[Outcome.BEFORE] += 1
        else:
            waiting.append(letter)
    for letter, mended in _mended(waiting, fix, settings.topics):
        if fix and mended is None:
            report.outcomes[Outcome.LEFT] += 1
            continue
        record = placed(letter, mended, settings.topics)
        rejected = judge.verdict(str(letter.source), record)
        if rejected is None:
            report.outcomes[Outcome.REPLAYED] += 1
            chosen.append((letter.place, record))
        elif rejected.reason is Reason.TOO_LATE:
            report.outcomes[Outcome.TOO_OLD] += 1
        else:
            report.outcomes[Outcome.REFUSED] += 1
            report.refused[rejected.reason.value, rejected.field] += 1
    return chosen


def _mended(letters: Sequence[Letter], fix: Sequence[str], topics: Topics) -> Iterable[Mended]:
    return mend(fix, letters, topics) if fix else (Mended(letter, None) for letter in letters)


def placed(letter: Letter, mended: Outbound | None, topics: Topics) -> Placed:
    """The record to send: as it came, or as it was mended, where it was read first."""
    headers = letter.own_headers if mended is None else mended.headers
    # Of a record that was replayed and refused again only the last replay is told.
    headers = tuple((name, value) for name, value in headers if name not in _OURS)
    headers += (
        (REPLAY_OF, str(letter.place).encode()),
        (REPLAY_AT, b"%d" % _now_ms()),
    )
    key = letter.key or None
    partition: int | None = letter.place.partition if letter.place.topic != FORWARDED else None
    value = letter.sent_value
    if mended is not None:
        headers += ((REPLAY_FIXED, b"1"),)
        value = mended.value
        # A line says "" of a letter without a key: taken for a new one it would move the record to another partition.
        if (mended.key or None) != key:
            key, partition = mended.key, None
    return Placed(topics.source(str(letter.source)), partition, key, value, letter.record_time, headers)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _pages(letters: Iterator[Letter]) -> Iterator[list[Letter]]:
    while page := list(islice(letters, PAGE)):
        yield page
