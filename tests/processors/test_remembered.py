"""Links of a customer's device: what is put aside comes back whole, and is written once."""

import pytest

from processors.links import Linked
from processors.remembered import RUN, all_times, forget, put_aside
from schemas.epoch import Stored
from schemas.topics import DAY_MS
from streams.engine.state.memory import MemoryStore


class Values(MemoryStore):
    """State from what has been written."""

    def __init__(self) -> None:
        super().__init__(0)
        self.into: dict[bytes, Stored | None] = {}

    def get(self, key: bytes) -> bytes | None:
        stored = self.into.get(key)
        return stored.value if stored is not None else None


def test_links_come_back_in_order_of_arrival_and_no_run_is_written_twice() -> None:
    state, devices = Values(), {"x": Linked(0, [], False, []), "y": Linked(0, [], False, [])}
    written = 0
    for at in range(10 * RUN):
        devices["xy"[at % 2]].recent.append(at)
        before = dict(state.into)
        put_aside(b"ann", devices, DAY_MS, state.into)
        assert before.items() <= state.into.items()
        written = len(state.into)
    assert written == 10
    assert all_times(state, b"ann", devices["x"], 0) == list(range(0, 10 * RUN, 2))
    assert all_times(state, b"ann", devices["y"], 0) == list(range(1, 10 * RUN, 2))


def test_old_runs_are_deleted_and_their_numbers_not_used_while_others_live() -> None:
    state, devices = Values(), {"x": Linked(0, [], False, [])}
    for at in range(4 * RUN):
        devices["x"].recent.append(at)
        put_aside(b"ann", devices, DAY_MS, state.into)
    forget(b"ann", devices["x"], 2 * RUN, state.into)
    assert sum(stored is None for stored in state.into.values()) == 2
    devices["x"].recent += range(4 * RUN, 5 * RUN)
    put_aside(b"ann", devices, DAY_MS, state.into)
    assert all_times(state, b"ann", devices["x"], 2 * RUN) == list(range(2 * RUN, 5 * RUN))


def test_a_run_that_is_not_there_is_corrupt_state_unless_it_has_expired() -> None:
    state, linked = Values(), Linked(0, [9], False, [(0, 5)])
    assert all_times(state, b"ann", linked, 6) == [9]
    with pytest.raises(LookupError, match="run 0"):
        all_times(state, b"ann", linked, 5)
