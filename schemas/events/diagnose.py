"""What is wrong with a record: the slow, untyped look that names the first broken rule in the contract's order.

Size, UTF-8 and JSON, object, `schema_version`, `store_id` and its store, `type`, the envelope, the type's fields,
rules over several fields. A record that breaks none comes back as text that the typed decoder reads: nulls and
members it does not know left out, of a member given twice the last.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from schemas.currencies import EXPONENTS
from schemas.events.checks import Unit, check_members, write_object
from schemas.events.rules import ENVELOPE, STORE_RULE, TYPES, VERSION_RULE, check_together, definition_rules
from schemas.events.untyped import parse
from schemas.money import E4_DECIMALS, E4_LIMIT
from schemas.reasons import Reason, Rejected

_E4: Final = Unit(E4_DECIMALS, E4_LIMIT)


def canonical_event(topic: str, value: bytes | None, stores: Mapping[str, Any]) -> bytes:
    """The record in the form the typed decoder reads, or Rejected with the first broken rule."""
    tree = parse(value)
    texts = check_members(tree, (VERSION_RULE,), "", _E4)
    store_id = _known_store(tree, texts, stores)
    kind = _known_type(tree, TYPES[topic])
    texts["type"] = json.dumps(kind)
    texts |= check_members(tree, ENVELOPE, "", _E4)
    unit = _unit(topic, kind, tree, stores[store_id])
    texts |= check_members(tree, TYPES[topic][kind], "", unit)
    check_together(topic, kind, tree, unit)
    return write_object(texts).encode()


def canonical_definition(value: bytes, stores: Mapping[str, Any]) -> bytes:
    """A definition in the form the typed decoder reads, or Rejected with the first broken rule."""
    tree = parse(value)
    texts: dict[str, str] = {}
    _known_store(tree, texts, stores)
    texts |= check_members(tree, definition_rules(tree.get("kind")), "", _E4)
    return write_object(texts).encode()


def _known_store(tree: dict[str, Any], texts: dict[str, str], stores: Mapping[str, Any]) -> str:
    texts |= check_members(tree, (STORE_RULE,), "", _E4)
    store_id: str = tree["store_id"]
    if store_id not in stores:
        raise Rejected(Reason.UNKNOWN_STORE, "store_id")
    return store_id


def _known_type(tree: dict[str, Any], types: Mapping[str, Any]) -> str:
    kind = tree.get("type")
    if kind is None:
        raise Rejected(Reason.MISSING_FIELD, "type")
    if not isinstance(kind, str):
        raise Rejected(Reason.WRONG_TYPE, "type")
    if kind not in types:
        raise Rejected(Reason.UNKNOWN_TYPE, "type")
    return kind


def _unit(topic: str, kind: str, tree: dict[str, Any], store: Any) -> Unit:
    """How the amounts of this record are counted: a refund's currency is its order's, which is not known here."""
    if (topic, kind) == ("order", "refunded"):
        return _E4
    currency = tree.get("currency")
    if currency is None:
        currency = store.currency
    # No decimals for a currency that does not exist: its own check refuses it, before or after the amounts.
    return Unit(EXPONENTS.get(currency) if isinstance(currency, str) else None)
