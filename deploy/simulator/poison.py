"""Records that must not be counted: every kind of broken event with the verdict it has to get, and test traffic."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import orjson

from deploy.simulator.shop import Shop, Trail
from deploy.simulator.wire import Draft
from schemas.topics import MAX_EVENT_BYTES

Body = dict[str, Any]


class Poison(NamedTuple):
    """A kind of broken record. `make` gets a good click-like envelope and returns the bytes."""

    name: str
    topic: str
    reason: str
    field: str
    make: Callable[[Body], bytes]


def _with(**fields: Any) -> Callable[[Body], bytes]:
    return lambda body: orjson.dumps(body | fields)


def _without(name: str, **fields: Any) -> Callable[[Body], bytes]:
    return lambda body: orjson.dumps({key: value for key, value in (body | fields).items() if key != name})


def _text(old: bytes, new: bytes, **fields: Any) -> Callable[[Body], bytes]:
    def make(body: Body) -> bytes:
        good = orjson.dumps(body | fields)
        assert old in good, f"no {old!r} to break in {good!r}"
        return good.replace(old, new)

    return make


def _order(**fields: Any) -> Body:
    lines = [{"product_id": "p1", "quantity": 1, "unit_price": 10}]
    return {
        "type": "captured",
        "order_id": "o-broken",
        "currency": "EUR",
        "lines": lines,
        "total": 10,
    } | fields


_CLICK: Final[Body] = {"type": "clicked", "product_id": "p1"}
_ADDED: Final[Body] = {"type": "added", "product_id": "p1", "quantity": 3}
_JOURNEY: Final[Body] = {"type": "node_entered", "journey_id": "j", "execution_id": "x", "node_id": "n"}
_2099: Final = 4_070_908_800_000

POISONS: Final = (
    Poison("cut short", "click", "malformed_json", "", lambda body: orjson.dumps(body | _CLICK)[:-9]),
    Poison("empty", "session", "malformed_json", "", lambda _: b""),
    Poison("not UTF-8", "click", "malformed_json", "", _text(b'"p1"', b'"p\xff"', **_CLICK)),
    Poison("NaN token", "order", "malformed_json", "", _text(b'"total":10', b'"total":NaN', **_order())),
    Poison("a list", "cart", "not_an_object", "", lambda body: orjson.dumps([body])),
    Poison("a number", "order", "not_an_object", "", lambda _: b"42"),
    Poison(
        "one byte too many",
        "click",
        "too_large",
        "",
        lambda body: orjson.dumps(body | _CLICK).ljust(MAX_EVENT_BYTES + 1),
    ),
    Poison("no product", "click", "missing_field", "product_id", _with(type="clicked")),
    Poison("no event id", "session", "missing_field", "event_id", _without("event_id", type="activity")),
    Poison("no store", "cart", "missing_field", "store_id", _without("store_id", **_ADDED)),
    Poison("null time", "impression", "missing_field", "occurred_at", _with(type="shown", occurred_at=None)),
    Poison("fractional quantity", "cart", "wrong_type", "quantity", _with(**_ADDED | {"quantity": 2.5})),
    Poison("quantity as text", "cart", "wrong_type", "quantity", _with(**_ADDED | {"quantity": "2"})),
    Poison("id as number", "click", "wrong_type", "event_id", _with(**_CLICK | {"event_id": 7})),
    Poison("quantity 0", "cart", "invalid_value", "quantity", _with(**_ADDED | {"quantity": 0})),
    Poison("negative price", "order", "invalid_value", "total", _with(**_order(total=-1))),
    Poison(
        "node of no known type",
        "journey-node",
        "invalid_value",
        "node_type",
        _with(**_JOURNEY, node_type="teleport"),
    ),
    Poison(
        "no offset",
        "click",
        "invalid_time",
        "occurred_at",
        _with(**_CLICK, occurred_at="2026-01-01T10:00:00"),
    ),
    Poison(
        "seconds for ms",
        "session",
        "invalid_time",
        "occurred_at",
        _with(type="started", occurred_at=1_767_262_860),
    ),
    Poison("unheard-of type", "click", "unknown_type", "type", _with(type="sniffed")),
    Poison("type of another topic", "cart", "unknown_type", "type", _with(**_CLICK)),
    Poison(
        "unheard-of store", "click", "unknown_store", "store_id", _with(**_CLICK, store_id="no-such-store")
    ),
    Poison(
        "from the future of the contract",
        "click",
        "unknown_version",
        "schema_version",
        _with(**_CLICK, schema_version=2),
    ),
    Poison("no such currency", "order", "unknown_currency", "currency", _with(**_order(currency="XQX"))),
    Poison("half a cent", "order", "amount_precision", "total", _with(**_order(total="10.005"))),
    Poison("clock in 2099", "click", "in_future", "occurred_at", _with(**_CLICK, occurred_at=_2099)),
)
# A quarter of a megabyte each; one in so many records of poison keeps them from filling the log.
_TOO_LARGE_EVERY: Final = 200


def poison(shop: Shop, at_ms: int) -> tuple[Poison, bytes, bytes]:
    """One broken record: its kind, key and value."""
    kind = shop.rng.choice(POISONS)
    if kind.reason == "too_large" and not shop.chance(len(POISONS) / _TOO_LARGE_EVERY):
        kind = POISONS[0]
    person = shop.someone()
    body: Body = {
        "event_id": shop.new_id("e"),
        "type": "",
        "store_id": shop.spec.store_id,
        "occurred_at": at_ms,
        "anonymous_id": person.device_id,
    }
    return kind, shop.key(person.device_id), kind.make(body)


def bot_event(shop: Shop) -> Draft:
    """A good event of staff or a bot, marked `is_test`; orders too, which must not become revenue."""
    trail = Trail(shop, shop.someone(), "web", None)
    chosen = shop.rng.random()
    product_id = shop.catalogue.product_ids[shop.catalogue.popular(shop.rng)]
    if chosen < 0.5:
        body = trail.emit("session", "activity", name="synthetic")
    elif chosen < 0.8:
        body = trail.emit("click", "clicked", product_id=product_id)
    else:
        lines = [{"product_id": product_id, "quantity": 1, "unit_price": 1}]
        body = trail.emit(
            "order", "captured", order_id=shop.new_id("o"), currency=shop.spec.currency, lines=lines, total=1
        )
    body["is_test"] = True
    return trail.drafts[0]


def late_event(shop: Shop) -> Draft:
    """An event that is sent days after it happened. It touches no session id and no order the truth keeps."""
    trail = Trail(shop, shop.someone(), "web", None)
    trail.emit("session", "activity", name="offline")
    return trail.drafts[0]
