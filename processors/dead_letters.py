"""A record that can't be counted, kept as it came."""

from schemas.epoch import Outgoing, SourceRecord
from schemas.reasons import Reason


def dead_letter(
    topic: str, partition: int, record: SourceRecord, reason: Reason, field: str, store_id: str, now_ms: int
) -> Outgoing:
    """The record byte for byte, with reason and origin in headers before its own."""
    headers = (
        ("dlq_reason", reason.value.encode()),
        ("dlq_field", field.encode()),
        ("dlq_topic", topic.encode()),
        ("dlq_partition", b"%d" % partition),
        ("dlq_offset", b"%d" % record.offset),
        ("dlq_first_seen", b"%d" % now_ms),
        ("dlq_store", store_id.encode()),
        *record.headers,
    )
    timestamp = record.timestamp if record.timestamp >= 0 else None
    return Outgoing("dead-letter", record.key, record.value, timestamp, headers)
