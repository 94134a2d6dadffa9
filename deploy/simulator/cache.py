"""A generated history on disk, for benches and repeated runs: reading it back is several times faster."""

import hashlib
import struct
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from deploy.simulator.history import history, new_truth
from deploy.simulator.scenario import Scenario
from deploy.simulator.truth import Truth
from deploy.simulator.wire import SimRecord

_BLOCK_RECORDS: Final = 5_000
_LENGTH: Final = struct.Struct("<I")
_Block = list[tuple[str, bytes, bytes]]


def cached_history(
    scenario: Scenario, directory: Path, *, stamped_at_ms: int
) -> tuple[Iterator[SimRecord], Truth]:
    """All records of the scenario and their truth, from `directory` if they are there, else made and kept there."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"history-{_fingerprint(scenario)}.bin"
    account = path.with_suffix(".json")
    if not (path.exists() and account.exists()):
        _keep(scenario, path, account)
    return _read(path, stamped_at_ms), Truth.from_json(account.read_bytes())


def _fingerprint(scenario: Scenario) -> str:
    """Of the scenario and of the generator's own source: a changed generator must not be served its old history."""
    digest = hashlib.blake2b(msgspec.json.encode(scenario), digest_size=8)
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _keep(scenario: Scenario, path: Path, account: Path) -> None:
    truth = new_truth(scenario)
    records = history(scenario, truth, stamped_at_ms=0)
    encode = msgspec.msgpack.Encoder().encode
    part = path.with_suffix(".part")
    with part.open("wb") as out:
        while block := [record[:3] for record in islice(records, _BLOCK_RECORDS)]:
            data = encode(block)
            out.write(_LENGTH.pack(len(data)) + data)
    account.write_bytes(truth.to_json())
    part.replace(path)


def _read(path: Path, stamped_at_ms: int) -> Iterator[SimRecord]:
    decoder: Any = msgspec.msgpack.Decoder(_Block)
    with path.open("rb") as source:
        while head := source.read(_LENGTH.size):
            for topic, key, value in decoder.decode(source.read(_LENGTH.unpack(head)[0])):
                yield SimRecord(topic, key, value, stamped_at_ms)
