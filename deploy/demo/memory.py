"""What the demo remembers in the data directory: the shop it loaded, what was sent, and what was there before."""

from pathlib import Path
from typing import Final

import msgspec

from deploy.demo.figures import Figures
from deploy.simulator import Scenario, Truth

FILE: Final = "demo.json"


class DemoState(msgspec.Struct):
    """The demo's past in one directory."""

    scenario: Scenario
    truth: Truth
    """Everything that was sent since `baseline`."""
    baseline: Figures
    """What ClickHouse held and `truth` does not explain, when the account began."""
    is_whole: bool = False
    """False while records are being sent: a process that is killed then leaves an account with a hole."""


class StateUnreadable(RuntimeError):
    """The file is there and cannot be read. Says which, and what to do."""


def load(data: Path) -> DemoState | None:
    """The state of this directory; None on the first run. Raises StateUnreadable."""
    path = data / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=DemoState)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, OSError) as error:
        raise StateUnreadable(
            f"{path}: {error}; remove it, and the next run counts only what it sends itself"
        ) from None


def save(data: Path, state: DemoState) -> None:
    """Write the state; it appears as a whole."""
    fresh = data / f"{FILE}.new"
    fresh.write_bytes(msgspec.json.encode(state))
    fresh.replace(data / FILE)
