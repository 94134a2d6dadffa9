"""Records to files: JSON Lines as `shopmeter send` reads them, and the truth beside them."""

import base64
import time
from pathlib import Path
from typing import Any

import orjson

from deploy.simulator.definitions import definitions
from deploy.simulator.history import history, new_truth
from deploy.simulator.scenario import Scenario
from deploy.simulator.truth import Truth
from deploy.simulator.wire import SimDefinition, SimRecord
from schemas.topics import Topics

EVENTS_FILE = "events.jsonl"
TRUTH_FILE = "truth.json"
STORES_FILE = "stores.toml"


def line(record: SimRecord | SimDefinition, topics: Topics, *, with_timestamp: bool) -> bytes:
    """One line without its newline. Bytes that a JSON reader would change or refuse go as `value_base64`."""
    envelope: dict[str, Any] = {"topic": topics.source(record.topic), "key": record.key.decode()}
    if with_timestamp:
        envelope["timestamp"] = record.timestamp_ms
    if record.value is None:
        envelope["value"] = None
    elif _survives(record.value):
        envelope["value"] = orjson.Fragment(record.value)
    else:
        envelope["value_base64"] = base64.b64encode(record.value).decode()
    return orjson.dumps(envelope)


def write_files(
    scenario: Scenario,
    directory: Path,
    topics: Topics | None = None,
    *,
    limit: int | None = None,
    with_timestamp: bool = False,
) -> Truth:
    """Write `events.jsonl`, `truth.json` and `stores.toml` into `directory` (made if needed), and return the truth.

    The definitions come first; `limit` counts events. Without timestamps (the default) records get the time at which
    they are sent, as history needs it. Each file appears under its name only when it is whole.
    """
    directory.mkdir(parents=True, exist_ok=True)
    truth = new_truth(scenario)
    named = topics or Topics()
    part = directory / (EVENTS_FILE + ".part")
    with part.open("wb") as out:
        stamped_at_ms = time.time_ns() // 1_000_000
        for definition in definitions(scenario, truth, stamped_at_ms=stamped_at_ms):
            out.write(line(definition, named, with_timestamp=with_timestamp) + b"\n")
        for number, record in enumerate(history(scenario, truth, stamped_at_ms=stamped_at_ms)):
            out.write(line(record, named, with_timestamp=with_timestamp) + b"\n")
            if number + 1 == limit:
                break
    (directory / STORES_FILE).write_text(scenario.stores_toml())
    write_truth(truth, directory / TRUTH_FILE)
    part.replace(directory / EVENTS_FILE)
    return truth


def write_truth(truth: Truth, path: Path) -> None:
    """Write `truth.json`; it appears under its name only when it is whole."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(truth.to_json())
    part.replace(path)


def _survives(value: bytes) -> bool:
    """Would reading this object and writing it again give the same bytes? Broken JSON must not be mended on the way."""
    try:
        parsed = orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return isinstance(parsed, dict) and orjson.dumps(parsed) == value
