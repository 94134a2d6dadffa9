"""Records of the dead-letter topic as rows: the raw record, where it was read, and why it does not count.

The headers before the record's own: `dlq_reason`, `dlq_field`, `dlq_topic`, `dlq_partition`, `dlq_offset`,
`dlq_first_seen` (ms), `dlq_store`; text in UTF-8, numbers in decimal. The record's timestamp is that of the original.
"""

from collections.abc import Sequence
from typing import Final

from schemas.rows import DeadLetterRow
from schemas.topics import DAY_MS

HEADERS: Final = (
    "dlq_reason",
    "dlq_field",
    "dlq_topic",
    "dlq_partition",
    "dlq_offset",
    "dlq_first_seen",
    "dlq_store",
)
FOREIGN: Final = "foreign"
"""The reason of a record that somebody else put into the topic: it lacks our headers. Kept with its own coordinates."""
FOREIGN_TOPIC: Final = "dead-letter"
# The last day of a Date column; a foreign record's timestamp may be anything, or missing (-1).
_LATEST_MS: Final = (2**16 - 1) * DAY_MS


def dead_letter_row(
    *,
    partition: int,
    offset: int,
    timestamp: int,
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[tuple[str, bytes | None]],
) -> DeadLetterRow:
    """The row of one record of the dead-letter topic; `partition` and `offset` are its own. Never raises."""
    ours = [(name, content) for name, content in headers[: len(HEADERS)] if name in HEADERS]
    # A header may be null, and a record that can't be read would end the sink each time it starts.
    said = {name: (content or b"").decode("utf-8", "replace") for name, content in ours}
    number = {name: _number(said.get(name, "")) for name in ("dlq_partition", "dlq_offset", "dlq_first_seen")}
    record_time = min(max(timestamp, 0), _LATEST_MS)
    if len(said) < len(HEADERS) or None in number.values() or (number["dlq_partition"] or 0) > 65_535:
        ours, said = [], {"dlq_reason": FOREIGN, "dlq_topic": FOREIGN_TOPIC}
        number = {"dlq_partition": partition, "dlq_offset": offset, "dlq_first_seen": record_time}
    rest = headers[len(ours) :]
    return DeadLetterRow(
        topic=said["dlq_topic"],
        partition=number["dlq_partition"] or 0,
        offset=number["dlq_offset"] or 0,
        born=record_time // DAY_MS,
        record_time=record_time,
        first_seen_at=min(number["dlq_first_seen"] or 0, _LATEST_MS),
        reason=said["dlq_reason"],
        field=said.get("dlq_field", ""),
        store_id=said.get("dlq_store", ""),
        key=key or b"",
        value=value or b"",
        header_names=[name for name, _ in rest],
        header_values=[content or b"" for _, content in rest],
        version=1,
    )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
