"""The unions of event types, and which of them a topic carries."""

from collections.abc import Mapping
from typing import Any, Final

from schemas.events.browsing import CartEvent, ClickEvent, ImpressionEvent
from schemas.events.definition import Definition
from schemas.events.journey import JourneyNodeEvent
from schemas.events.order import OrderEvent
from schemas.events.session import SessionEvent

Event = SessionEvent | ImpressionEvent | ClickEvent | CartEvent | OrderEvent | JourneyNodeEvent

WIRE_TYPES: Final[Mapping[str, Any]] = {
    "session": SessionEvent,
    "impression": ImpressionEvent,
    "click": ClickEvent,
    "cart": CartEvent,
    "order": OrderEvent,
    "journey-node": JourneyNodeEvent,
    "definition": Definition,
}
"""Struct or tagged union of structs by topic name without its prefix."""
