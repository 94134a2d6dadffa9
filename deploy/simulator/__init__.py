"""A shop that behaves like one, from a seed: its events for Kafka or files, and the truth to compare results with.

`Scenario` says what to simulate; `load_history`, `run_live` and `write_files` do it; `history` and `Live` are the
same as plain records. It knows the wire contract by itself and uses nothing of the pipeline that reads its events.
"""

from deploy.simulator.batches import ProduceError
from deploy.simulator.cache import cached_history
from deploy.simulator.definitions import definitions
from deploy.simulator.files import write_files
from deploy.simulator.history import history, new_truth
from deploy.simulator.live import Live
from deploy.simulator.produce import (
    Pace,
    Progress,
    going_on,
    load_definitions,
    load_history,
    run_live,
)
from deploy.simulator.scenario import CLEAN, FOUR_SHOPS, Habits, Rates, Scenario, ScenarioError, StoreSpec
from deploy.simulator.truth import OrderDay, Truth
from deploy.simulator.wire import SimRecord

__all__ = [
    "CLEAN",
    "FOUR_SHOPS",
    "Habits",
    "Live",
    "OrderDay",
    "Pace",
    "ProduceError",
    "Progress",
    "Rates",
    "Scenario",
    "ScenarioError",
    "SimRecord",
    "StoreSpec",
    "Truth",
    "cached_history",
    "definitions",
    "going_on",
    "history",
    "load_definitions",
    "load_history",
    "new_truth",
    "run_live",
    "write_files",
]
