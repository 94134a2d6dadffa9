"""Definitions: what a store says its experiences, tests and journeys are, from when on (H12, H93)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.stores import Store
from tests.oracle.records import RawRecord
from tests.oracle.scalars import Fields, Refused, parse_object

TOPIC: Final = "definition"


@dataclass(frozen=True)
class Definition:
    """One record of `shop.definition` that stands. `rank` is its place in the topic: of two at one instant the later."""

    store_id: str
    kind: str
    id: str
    status: str
    effective_at: int
    rank: int


def read_definition(value: bytes, stores: Mapping[str, Store], rank: int = 0) -> Definition:
    """What a record says. Raises Refused, checked in the order of H02: store, kind, then the other fields."""
    fields = Fields(parse_object(value))
    store_id = fields.text("store_id", most=64)
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", store_id):
        raise Refused("invalid_value", "store_id")
    if store_id not in stores:
        raise Refused("unknown_store", "store_id")
    kind = fields.one_of("kind", "experience", "ab_test", "journey", "goal", "product")
    name = fields.text("id")
    status = ""
    if kind not in ("goal", "product") or fields.raw("status", required=False) is not None:
        status = fields.one_of("status", "active", "running", "paused", "ended")
    fields.optional_text("name")
    return Definition(store_id, kind, name, status, fields.time("effective_at"), rank)


def definitions_of(records: Sequence[RawRecord], stores: Mapping[str, Store]) -> list[Definition]:
    """The definitions that no tombstone took away; `records` in the order of their topic, dead letters left out.

    A null value forgets everything that its key said before. ValueError for a key that names no thing.
    """
    found: dict[tuple[str, str, str], list[Definition]] = {}
    for rank, record in enumerate(record for record in records if record.topic == TOPIC):
        if record.value is None:
            parts = (record.key or b"").decode().split("|", 2)
            if len(parts) != 3:
                raise ValueError(f"{record.origin}: a tombstone's key is store|kind|id, not {record.key!r}")
            found.pop((parts[0], parts[1], parts[2]), None)
            continue
        try:
            definition = read_definition(record.value, stores, rank)
        except Refused:
            continue
        found.setdefault((definition.store_id, definition.kind, definition.id), []).append(definition)
    return [definition for standing in found.values() for definition in standing]


def status_at(definitions: Iterable[Definition], as_of: int) -> dict[str, str]:
    """id -> latest status at an instant; what takes effect later is not there yet (H93)."""
    latest: dict[str, Definition] = {}
    for definition in definitions:
        known = latest.get(definition.id)
        if definition.effective_at <= as_of and (
            known is None or (known.effective_at, known.rank) < (definition.effective_at, definition.rank)
        ):
            latest[definition.id] = definition
    return {name: definition.status for name, definition in latest.items()}
