"""Memory store, disk store and a plain dict tell the same story, whatever happens in whatever order."""

import contextlib
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from schemas.epoch import Seen, Stored
from schemas.topics import DAY_MS
from streams.engine.state import MemoryStore, Meta, Pending, RocksStore, StateStore, open_rocks
from streams.engine.state.codec import ChangelogRecord, SeenRecord, decode
from streams.engine.state.rocks_options import Budget
from tests.streams.state_kit import IDENTITY, NOW_MS, digest, epoch, everything, rocks

KEYS = st.sampled_from([b"a", b"a|1", b"a|2", b"b", b"\xff", b"\xff\xff"])
DAYS = st.sampled_from([0, 1, 2, 3, 65_535])
STORED = st.none() | st.builds(Stored, DAYS, st.binary(max_size=3))
BUDGET = Budget()


def compacted(log: list[ChangelogRecord]) -> dict[bytes, bytes]:
    """The plain dict: what is left of a changelog when each key keeps its last value."""
    model: dict[bytes, bytes] = {}
    for key, value in log:
        if value is None:
            model.pop(key, None)
        else:
            model[key] = value
    return model


def copy_if_there(source: str, target: str) -> None:
    """A database may drop a file while it is copied; such a torn image is one more kind of crash."""
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(source, target)


class StateMachine(RuleBasedStateMachine):
    """Random epochs, commits, expiries, restores and crashes; `log` is the changelog that survives them all."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="state-model-"))
        self.lives = 0
        self.log: list[ChangelogRecord] = []
        self.flight: list[tuple[Pending, Pending]] = []
        self.number = 0
        self.fresh = 0  # digests never used: a processor adds none that it has seen

    @initialize()
    def start(self) -> None:
        self.memory = MemoryStore()
        self.disk = rocks(self.directory / "0", budget=BUDGET)

    def teardown(self) -> None:
        self.disk.close()
        shutil.rmtree(self.directory)

    @precondition(lambda self: len(self.flight) < 3)
    @rule(
        state=st.dictionaries(KEYS, STORED, max_size=4),
        day=DAYS,
        adds=st.integers(0, 3),
        expire=st.booleans(),
    )
    def begin(self, state: dict[bytes, Stored | None], day: int, adds: int, expire: bool) -> None:
        due = self.expired(before_day=3) if expire else []
        packs = [Seen(day, b"".join(digest(self.fresh + at) for at in range(adds)))] if adds else []
        self.fresh += adds
        self.number += 1
        made = epoch(state, seen=packs, meta=b"%d" % self.number)
        offsets = {"click": self.number}
        in_memory, on_disk = (
            store.begin(made, number=self.number, offsets=offsets, expired=due) for store in self.stores()
        )
        assert in_memory.records == on_disk.records
        self.flight.append((in_memory, on_disk))

    @precondition(lambda self: self.flight)
    @rule()
    def commit(self) -> None:
        in_memory, on_disk = self.flight.pop(0)
        self.log += in_memory.records
        self.memory.commit(in_memory, len(self.log))
        self.disk.commit(on_disk, len(self.log))

    @rule(before_day=st.integers(0, 70_000), limit=st.integers(1, 5))
    def ask_for_expired(self, before_day: int, limit: int) -> None:
        for store in self.stores():
            named = store.expired(before_day, limit)
            assert len(named) == len(set(named)) <= 2 * limit
            assert set(named) <= self.due(before_day)

    @rule(how=st.sampled_from(["stopped", "crashed", "wiped"]), batch=st.integers(1, 5))
    def restart(self, how: str, batch: int) -> None:
        """Epochs in flight are gone; both read on from their offsets, the memory twin from the beginning."""
        self.flight.clear()
        self.memory = MemoryStore()
        self.disk = self.reopened(how)
        for store in self.stores():
            while store.changelog_offset < len(self.log):
                at = store.changelog_offset
                store.apply_batch(self.log[at : at + batch], min(at + batch, len(self.log)))
            assert (store.meta.number if store.meta else 0) <= self.number
        self.number = self.memory.meta.number if self.memory.meta else 0

    def reopened(self, how: str) -> RocksStore:
        """The disk after a clean stop, after a crash (the files of this moment, without what only memory held)."""
        before = self.directory / str(self.lives)
        self.lives += 1
        after = self.directory / str(self.lives)
        if how == "crashed":
            shutil.copytree(before, after, copy_function=copy_if_there)
            self.disk.close()
        else:
            self.disk.close()
            before.rename(after)
        store = open_rocks(
            after, identity=IDENTITY, now_ms=lambda: NOW_MS, delete_retention_ms=7 * DAY_MS, budget=BUDGET
        ).store
        if how == "wiped":
            store.wipe()
        return store

    def stores(self) -> tuple[StateStore, StateStore]:
        return self.memory, self.disk

    def expired(self, before_day: int) -> list[bytes]:
        in_memory, on_disk = (store.expired(before_day, 1_000) for store in self.stores())
        assert sorted(in_memory) == sorted(on_disk) == sorted(self.due(before_day))
        return in_memory

    def committed(self) -> dict[bytes, bytes]:
        return compacted(self.log)

    def due(self, before_day: int) -> set[bytes]:
        """The slow way: every committed record decoded, less what an epoch in flight touches."""
        touched = {key for pending, _ in self.flight for key, _ in pending.records}
        records = {key: decode(key, value) for key, value in self.committed().items() if key not in touched}
        return {
            key
            for key, record in records.items()
            if not isinstance(record, Meta) and 0 < record.expires_day < before_day
        }

    @invariant()
    def all_agree(self) -> None:
        flying = [record for pending, _ in self.flight for record in pending.records]
        state = {key: value[3:] for key, value in compacted(self.log + flying).items() if key >= b"\x01"}
        # Digests join when their epoch is begun and leave when the expiring epoch is committed.
        packs = {**self.committed(), **{key: value for key, value in flying if value is not None}}
        seen = {
            value[at : at + 16]
            for key, value in packs.items()
            if isinstance(decode(key, value), SeenRecord)
            for at in range(3, len(value), 16)
        }
        for store in self.stores():
            assert everything(store) == state
            assert {at for at in range(self.fresh + 1) if store.seen_among([digest(at)])} == {
                int.from_bytes(member) for member in seen
            }
            for prefix in (b"a", b"a|", b"\xff", b"c"):
                found = dict(store.scan(prefix))
                assert found == {key: value for key, value in state.items() if key.startswith(prefix)}
        assert self.memory.meta == self.disk.meta
        assert self.memory.changelog_offset == self.disk.changelog_offset == len(self.log)


StateMachine.TestCase.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestTheTwinsAndTheModel = StateMachine.TestCase
