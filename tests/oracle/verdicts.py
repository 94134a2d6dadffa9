"""Every record into exactly one bucket, in the order of H02; what is accepted goes on."""

from collections.abc import Collection, Mapping, Sequence

from schemas.stores import Store
from tests.oracle.definitions import TOPIC as DEFINITION_TOPIC
from tests.oracle.definitions import read_definition
from tests.oracle.events import is_in_future, read_event
from tests.oracle.model import Event
from tests.oracle.records import (
    ACCEPTED,
    DUPLICATE,
    TEST_TRAFFIC,
    TOO_LATE,
    TOPICS,
    Origin,
    RawRecord,
    Verdict,
)
from tests.oracle.scalars import Refused


def judge(
    records: Sequence[RawRecord],
    stores: Mapping[str, Store],
    *,
    too_late: Collection[Origin] = (),
    first: Collection[Origin] = (),
) -> tuple[dict[Origin, Verdict], list[Event]]:
    """Verdict of each record, and the accepted events.

    What only arrival can tell is told by the caller: `too_late`, and by `first` which record of an event_id was the
    first accepted one (by default that with the smallest timestamp, then topic, partition, offset).
    ValueError for a topic that is no source topic, and for two records of one origin.
    """
    verdicts: dict[Origin, Verdict] = {}
    candidates: dict[tuple[str, str], list[tuple[RawRecord, Event]]] = {}
    for record in records:
        if record.topic not in (*TOPICS, DEFINITION_TOPIC):
            raise ValueError(f"{record.origin}: no source topic; use a short name of {TOPICS}")
        if record.origin in verdicts:
            raise ValueError(f"{record.origin}: two records of one origin; number them apart")
        if record.topic == DEFINITION_TOPIC:
            verdicts[record.origin] = _defined(record, stores)
            continue
        verdict, event = _alone(record, stores, record.origin in too_late)
        verdicts[record.origin] = verdict
        if event is not None:
            candidates.setdefault((event.store_id, event.event_id), []).append((record, event))
    accepted = []
    for repeats in candidates.values():
        repeats.sort(key=lambda pair: (pair[0].origin not in first, _arrival(pair[0])))
        accepted.append(repeats[0][1])
        for record, _ in repeats[1:]:
            verdicts[record.origin] = DUPLICATE
    return verdicts, accepted


def _alone(record: RawRecord, stores: Mapping[str, Store], too_late: bool) -> tuple[Verdict, Event | None]:
    """The verdict as far as it does not depend on other records."""
    timestamp_ms = record.timestamp_ms if (record.timestamp_ms or 0) >= 0 else None
    try:
        event = read_event(record.topic, record.value, timestamp_ms, stores)
    except Refused as refused:
        return Verdict("dead_letter", refused.reason, refused.field), None
    if event.is_test:
        return TEST_TRAFFIC, None
    if is_in_future(event):
        return Verdict("dead_letter", "in_future", "occurred_at"), None
    if too_late:
        return TOO_LATE, None
    return ACCEPTED, event


def _defined(record: RawRecord, stores: Mapping[str, Store]) -> Verdict:
    """A definition has no event id and no event time: nothing repeats, and nothing comes too late."""
    if record.value is None:
        return ACCEPTED
    try:
        read_definition(record.value, stores)
    except Refused as refused:
        return Verdict("dead_letter", refused.reason, refused.field)
    return ACCEPTED


def _arrival(record: RawRecord) -> tuple[int, int, int, int]:
    return (record.timestamp, TOPICS.index(record.topic), record.partition, record.offset)
