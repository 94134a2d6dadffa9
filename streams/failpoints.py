"""Places where a fault test may end, break or stop a worker or sink; without `SHOPMETER_FAILPOINTS` they do nothing.

`SHOPMETER_FAILPOINTS="epoch.delivered=kill@7,restore.batch=raise@1"`: what is to happen when the process reaches a place
for the so-many-th time. Random kills seldom meet the few milliseconds between two steps of a commit; these always do.
"""

import logging
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

VARIABLE: Final = "SHOPMETER_FAILPOINTS"

PLACES: Final[Mapping[str, str]] = {
    "chunk.taken": "worker: a chunk is processed, its end is not committable yet",
    "epoch.begun": "worker: an epoch's transaction has begun, nothing is sent",
    "epoch.sent": "worker: changelog and rows are handed to the client, not all are acknowledged",
    "epoch.delivered": "worker: every delivery is acknowledged, the offsets are perhaps in the transaction",
    "epoch.offsets": "worker: the offsets are in the transaction, it is not committed",
    "epoch.committed": "worker: the transaction is committed, the local store does not know it",
    "epoch.stored": "worker: the local store has the epoch",
    "hanging.sent": "worker: what ends a transaction that hangs is handed to the client, not all is acknowledged",
    "restore.batch": "worker: a batch of the changelog is read, not applied",
    "sink.inserted": "sink: rows are in ClickHouse, their watermarks are not",
    "sink.watermarked": "sink: watermarks too, the positions are not committed",
    "sink.committed": "sink: the positions are committed",
}

log = logging.getLogger("shopmeter.failpoints")


class FailpointReached(RuntimeError):
    """What the action `raise` raises."""


class _Armed(NamedTuple):
    action: str
    at: int


BLOCK_SECONDS: Final = 600.0


def arm(text: str) -> Callable[[str], None]:
    """The function that does what `text` says at each place; ValueError for a place or action that there is not."""
    armed = dict(_parse(part) for part in text.split(",") if part.strip())
    if not armed:
        return _nothing
    log.warning("failpoints are armed: %s; this process is under test", text)
    reached: Counter[str] = Counter()

    def reach(place: str) -> None:
        found = armed.get(place)
        if found is None:
            return
        reached[place] += 1
        if reached[place] != found.at:
            return
        if found.action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if found.action == "raise":
            raise FailpointReached(f"failpoint {place}, time {found.at}")
        time.sleep(BLOCK_SECONDS)  # `block`: the event loop stands still

    return reach


def _parse(part: str) -> tuple[str, _Armed]:
    place, _, rest = part.strip().partition("=")
    action, _, at = rest.partition("@")
    if place not in PLACES or action not in ("kill", "raise", "block") or not (at or "1").isdigit():
        raise ValueError(
            f"{VARIABLE}: {part!r} is not PLACE=kill|raise|block[@TIMES]; places are {', '.join(PLACES)}"
        )
    return place, _Armed(action, int(at or "1"))


def _nothing(place: str) -> None:
    """What every place does in production."""


reach: Final[Callable[[str], None]] = arm(os.environ.get(VARIABLE, ""))
