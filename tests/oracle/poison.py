"""What a world holds that is not counted: dead letters of every sort, and test traffic."""

from typing import Any

from tests.oracle.chooser import Chooser
from tests.oracle.shopping import Setting, choose_happenings


def choose_poison(chooser: Chooser, setting: Setting) -> tuple[str, dict[str, Any] | bytes | None, int, int]:
    """Something that is not counted: (topic, value, event time, timestamp)."""
    happening = choose_happenings(chooser, setting)[0]
    value, at = dict(happening.value), happening.at
    broken = chooser.pick(
        (
            "is_test",
            "store",
            "type",
            "version",
            "missing",
            "future",
            "bytes",
            "null",
            "array",
            "time",
            "words",
        )
    )
    match broken:
        case "is_test":
            value["is_test"] = True
        case "store":
            value["store_id"] = "nowhere"
        case "type":
            value["type"] = "imagined"
        case "version":
            value["schema_version"] = 2
        case "missing":
            del value["occurred_at"]
        case "future":
            value["occurred_at"], at = happening.timestamp_ms + 600_001, happening.timestamp_ms
            value.pop("sent_at", None)
        case "time":
            value["occurred_at"] = "yesterday"
        case "words":
            value["session_id"] = 7
        case "bytes":
            return happening.topic, b'{"event_id": ', at, happening.timestamp_ms
        case "null":
            return happening.topic, None, at, happening.timestamp_ms
        case _:
            return happening.topic, b"[]", at, happening.timestamp_ms
    return happening.topic, value, at, happening.timestamp_ms
