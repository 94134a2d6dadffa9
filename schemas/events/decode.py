"""From a record's bytes to a typed event: the hot path.

Typed decoding checks types, bounds and presence while it parses; what is left to check is done in line. Whatever
fails here, for whatever cause, goes to `diagnose`, which looks at the untyped JSON in the order the contract
prescribes and either names reason and field or (a null in an optional field, a member given twice) writes the record
in the one form this path reads.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec

from schemas.currencies import EXPONENTS
from schemas.events.definition import Definition
from schemas.events.diagnose import canonical_definition, canonical_event
from schemas.events.fields import UNREAD
from schemas.events.journey import JourneyGoalReached, JourneyStarted
from schemas.events.order import OrderCanceled, OrderCaptured, OrderRefunded
from schemas.events.session import GoalReached, PersonIdentified
from schemas.events.types import WIRE_TYPES, Event
from schemas.events.untyped import CERTAINLY_SHALLOW_BYTES, MAX_BYTES, check_depth
from schemas.instants import EARLIEST_MS, END_MS, instant_ms
from schemas.money import MINOR_LIMIT, e4_of_token, units_of_token
from schemas.reasons import Reason, Rejected


class StoreSettings(Protocol):
    """What decoding needs to know of a configured store."""

    @property
    def currency(self) -> str: ...


Stores = Mapping[str, Any]
"""Configured stores by `store_id`; the values are StoreSettings (Any: a Mapping's look-up is checked by use)."""


class _BrokenRule(Exception):
    """Something is wrong with the record; `diagnose` says what."""


def decode(topic: str, value: bytes | None, stores: Stores) -> Event:
    """The event in one record of `topic` (name without prefix), or Rejected with reason and field.

    `occurred_at` and `sent_at` are epoch ms as sent (see `event_time`), money is integers, defaults are filled in.
    Test traffic is returned as an event like any other. A `topic` that carries no events is a KeyError.
    """
    read = _READ[topic]
    try:
        return _decode(read, value, stores)  # type: ignore[arg-type]  # None fails in there, as malformed
    except Exception:
        text = canonical_event(topic, value, stores)
    try:
        return _decode(read, text, stores)
    except Exception as error:
        # The two paths disagree: a defect of ours. One dead letter is better than a record nobody gets past.
        raise Rejected(Reason.MALFORMED_JSON) from error


def decode_definition(value: bytes | None, stores: Stores) -> Definition | None:
    """The definition in one record, None for a tombstone (the record's key says what it deletes), or Rejected."""
    if value is None:
        return None
    try:
        return _decode_definition(value, stores)
    except Exception:
        text = canonical_definition(value, stores)
    try:
        return _decode_definition(text, stores)
    except Exception as error:
        raise Rejected(Reason.MALFORMED_JSON) from error


def _decode(read: Any, value: bytes, stores: Stores) -> Event:
    if len(value) >= CERTAINLY_SHALLOW_BYTES:
        if len(value) > MAX_BYTES:
            raise _BrokenRule
        check_depth(value)
    if not value.isascii():
        value.decode()  # members that nobody reads are skipped unread: their UTF-8 would go unchecked
    event: Any = read(value)
    store = stores[event.store_id]
    instant = event.occurred_at
    if instant.__class__ is str:
        event.occurred_at = instant_ms(instant)
    elif not EARLIEST_MS <= instant < END_MS:
        raise _BrokenRule
    instant = event.sent_at
    if instant is not None:
        if instant.__class__ is str:
            event.sent_at = instant_ms(instant)
        elif not EARLIEST_MS <= instant < END_MS:
            raise _BrokenRule
    finish = _FINISH.get(event.__class__)
    if finish is not None:
        finish(event, store)
    elif event.customer_id is None and event.anonymous_id is None:
        raise _BrokenRule
    return event  # type: ignore[no-any-return]


def _decode_definition(value: bytes, stores: Stores) -> Definition:
    if len(value) > MAX_BYTES:
        raise _BrokenRule
    check_depth(value)
    value.decode()
    definition: Any = _read_definition(value)
    _ = stores[definition.store_id]
    if definition.status is None and definition.kind not in ("goal", "product"):
        raise _BrokenRule
    instant = definition.effective_at
    if instant.__class__ is str:
        definition.effective_at = instant_ms(instant)
    elif not EARLIEST_MS <= instant < END_MS:
        raise _BrokenRule
    return definition  # type: ignore[no-any-return]


def _require_person(event: Any) -> None:
    if event.customer_id is None and event.anonymous_id is None:
        raise _BrokenRule


def _finish_captured(order: Any, store: StoreSettings) -> None:
    _require_person(order)
    decimals = EXPONENTS[order.currency]
    for line in order.lines:
        price = line.unit_price = units_of_token(bytes(line.unit_price), decimals)
        gross = line.quantity * price
        discount = line.discount = _optional_units(line.discount, decimals)
        if gross >= MINOR_LIMIT or discount > gross:
            raise _BrokenRule
    order.shipping = _optional_units(order.shipping, decimals)
    order.tax = _optional_units(order.tax, decimals)
    order.total = units_of_token(bytes(order.total), decimals)
    if order.total < order.shipping + order.tax:
        raise _BrokenRule


def _optional_units(raw: Any, decimals: int) -> int:
    if raw is UNREAD:
        return 0
    token = bytes(raw)
    return 0 if token == b"null" else units_of_token(token, decimals)


def _finish_canceled(event: Any, store: StoreSettings) -> None:
    """Nothing: a cancel may name no person."""


def _finish_refunded(refund: Any, store: StoreSettings) -> None:
    refund.amount_e4 = e4_of_token(bytes(refund.amount_e4))
    if refund.lines is None:
        return
    itemised = 0
    for line in refund.lines:
        amount = line.amount_e4 = e4_of_token(bytes(line.amount_e4))
        itemised += amount
    if itemised > refund.amount_e4:
        raise _BrokenRule


def _finish_goal(goal: Any, store: StoreSettings) -> None:
    _require_person(goal)
    token = b"null" if goal.value is UNREAD else bytes(goal.value)
    if token == b"null":
        goal.value = None
        if goal.currency is not None:
            _ = EXPONENTS[goal.currency]
        return
    if goal.currency is None:
        goal.currency = store.currency
    goal.value = units_of_token(token, EXPONENTS[goal.currency])


def _finish_journey_started(event: Any, store: StoreSettings) -> None:
    _require_person(event)
    if event.journey_version.__class__ is int:
        event.journey_version = str(event.journey_version)
        if len(event.journey_version) > 128:
            raise _BrokenRule


def _finish_identified(event: Any, store: StoreSettings) -> None:
    if event.customer_id is None or event.anonymous_id is None:
        raise _BrokenRule


_FINISH: Final[dict[type, Any]] = {
    OrderCaptured: _finish_captured,
    OrderCanceled: _finish_canceled,
    OrderRefunded: _finish_refunded,
    GoalReached: _finish_goal,
    JourneyGoalReached: _finish_goal,
    JourneyStarted: _finish_journey_started,
    PersonIdentified: _finish_identified,
}
_READ: Final[dict[str, Any]] = {
    topic: msgspec.json.Decoder(wire_type).decode
    for topic, wire_type in WIRE_TYPES.items()
    if wire_type is not Definition
}
_read_definition: Final = msgspec.json.Decoder(Definition).decode
