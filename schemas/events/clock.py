"""Event time: when it happened, by a device clock that the broker's corrects; and what is too far ahead."""

from schemas.events.types import Event
from schemas.instants import FUTURE_TOLERANCE_MS, SKEW_TOLERANCE_MS


def event_time(event: Event, record_timestamp_ms: int | None) -> int:
    """Epoch ms at which the event happened; every later rule uses this time.

    `record_timestamp_ms` is that of the record's first arrival; None or negative (Kafka's -1) is none, and then
    nothing is corrected. A correction may lead out of [2000-01-01, 2100-01-01).
    """
    sent_at = event.sent_at
    if sent_at is None or record_timestamp_ms is None or record_timestamp_ms < 0:
        return event.occurred_at
    skew = record_timestamp_ms - sent_at
    if -SKEW_TOLERANCE_MS <= skew <= SKEW_TOLERANCE_MS:
        return event.occurred_at
    return event.occurred_at + skew


def is_in_future(event_time_ms: int, record_timestamp_ms: int | None) -> bool:
    """Whether event time leads the record's timestamp by more than ten minutes; never without a timestamp."""
    if record_timestamp_ms is None or record_timestamp_ms < 0:
        return False
    return event_time_ms > record_timestamp_ms + FUTURE_TOLERANCE_MS
