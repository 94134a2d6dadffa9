"""An event that was kept is again what processors read of it, whatever its type."""

from typing import Any

import msgspec
import pytest

from processors.keeping import FIELDS, KINDS, event_of, keep
from tests.schemas.records import VALID, decoded

EVENTS = [decoded(topic, kind) for topic, kind in sorted(VALID) if topic != "definition"]
KEPT = [event for event in EVENTS if event.__class__ in FIELDS]


def test_there_is_an_example_of_each_kind() -> None:
    assert {event.__class__ for event in KEPT} == set(KINDS)


@pytest.mark.parametrize("event", KEPT, ids=lambda event: event.__class__.__name__)
def test_it_comes_back_as_it_was(event: Any) -> None:
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(keep(event)))
    again = event_of(kept, "acme")
    assert again.__class__ is event.__class__
    common = ("store_id", "event_id", "occurred_at", "session_id", "channel")
    more = [name for name in ("products", "lines") if hasattr(event, name)]
    for name in (*common, *FIELDS[event.__class__], *more):
        assert getattr(again, name) == getattr(event, name), name
    for name in ("device", "country"):
        assert getattr(again.context, name, None) == getattr(event.context, name, None)
    assert keep(again) == keep(event)
