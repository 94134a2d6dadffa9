"""Histories on disk: as lines to send, and as a cache that is the same as generating."""

import base64
from pathlib import Path

import msgspec
import orjson

from deploy.simulator import Truth, cached_history, definitions, history, new_truth, write_files
from deploy.simulator.files import line
from deploy.simulator.poison import POISONS
from deploy.simulator.wire import SimDefinition, SimRecord
from schemas.stores import parse_stores
from schemas.topics import Topics
from tests.deploy.simulator.stories import ROUGH, SMALL, STAMP_MS, play

MESSY = msgspec.structs.replace(SMALL, rates=ROUGH)


def _value(parsed: dict[str, object]) -> bytes | None:
    """What a sender makes of a line."""
    if parsed.get("value", "") is None:
        return None
    if "value_base64" in parsed:
        return base64.b64decode(str(parsed["value_base64"]))
    return orjson.dumps(parsed["value"])


def test_lines_bring_every_record_back_byte_for_byte(tmp_path: Path) -> None:
    truth = write_files(MESSY, tmp_path)
    lines = (tmp_path / "events.jsonl").read_bytes().splitlines()
    same_truth = new_truth(MESSY)
    records: list[SimRecord | SimDefinition] = [
        *definitions(MESSY, same_truth, stamped_at_ms=STAMP_MS),
        *history(MESSY, same_truth, stamped_at_ms=STAMP_MS),
    ]
    assert truth == same_truth == Truth.from_json((tmp_path / "truth.json").read_bytes())
    parsed = [orjson.loads(text) for text in lines]
    assert [(text["topic"], text["key"], _value(text)) for text in parsed] == [
        ("shop." + record.topic, record.key.decode(), record.value) for record in records
    ]
    assert all("timestamp" not in text for text in parsed)
    assert set(parse_stores((tmp_path / "stores.toml").read_text())) == {"acme"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.jsonl", "stores.toml", "truth.json"]


def test_every_kind_of_poison_survives_a_line() -> None:
    for kind in POISONS:
        body = {"event_id": "e", "type": "", "store_id": "acme", "occurred_at": STAMP_MS, "anonymous_id": "d"}
        record = SimRecord(kind.topic, b"acme|d", kind.make(body), STAMP_MS)
        text = line(record, Topics("other."), with_timestamp=True)
        parsed = orjson.loads(text)
        assert b"\n" not in text
        assert _value(parsed) == record.value, kind.name
        assert (parsed["topic"], parsed["timestamp"]) == ("other." + kind.topic, STAMP_MS)


def test_a_cached_history_is_the_generated_one(tmp_path: Path) -> None:
    records, truth = play(MESSY)
    for _ in range(2):
        cached, cached_truth = cached_history(MESSY, tmp_path, stamped_at_ms=STAMP_MS)
        assert list(cached) == records
        assert cached_truth == truth
    assert len(list(tmp_path.glob("*.bin"))) == 1
    other, _ = cached_history(SMALL, tmp_path, stamped_at_ms=STAMP_MS)
    assert list(other) != records
