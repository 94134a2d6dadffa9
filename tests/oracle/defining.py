"""Definitions of a world: statuses that change, that wait for their day, and that are taken away."""

import json
from typing import Any, Final

from tests.oracle.chooser import Chooser
from tests.oracle.flavours import DAY_MS
from tests.oracle.shopping import Setting
from tests.oracle.wire import Sent

THINGS: Final = (
    # Few, so that they are defined again and again, also for the same day.
    *(("experience", "e1"),) * 3,
    *(("ab_test", "t"), ("journey", "j1")) * 2,
    *(("experience", "e2"), ("journey", "j9"), ("goal", "g")),
)
DAYS: Final = (0, 1, -400, 7, 400)
"""When they take effect, from the world's base on; the last is after everything."""


def choose_definition(chooser: Chooser, setting: Setting, number: int) -> tuple[Sent, int]:
    """A record of the definition topic and its place in time: each its own, for here order decides."""
    store_id, (kind, name) = chooser.pick(tuple(setting.stores)), chooser.pick(THINGS)
    at = setting.base + number
    key = f"{store_id}|{kind}|{name}".encode()
    if chooser.chance(6):
        return Sent("definition", None, at, key), at
    value: dict[str, Any] = {
        "store_id": store_id,
        "kind": kind,
        "id": name,
        "effective_at": setting.base + chooser.pick(DAYS) * DAY_MS,
        "status": chooser.pick(("active", "running", "paused", "ended")),
    }
    if chooser.chance(2):
        value["name"] = json.dumps([kind, name])
    return Sent("definition", value, at, key), at
