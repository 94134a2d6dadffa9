"""A worker's disk: the state stores that outlive its processes, whole, as of an earlier write, or not at all."""

from collections.abc import Sequence

from streams.engine.state import MemoryStore
from streams.engine.state.codec import ChangelogRecord
from tests.simulation.stage import Process


class DiskStore(MemoryStore):
    """The in-memory twin, with a journal of its writes. Each write is one batch: all of it is there, or nothing."""

    def __init__(self, partition: int, process: Process) -> None:
        super().__init__(partition)
        self._process = process
        self.journal: list[tuple[list[ChangelogRecord], int]] = []

    def wipe(self) -> None:
        """Forget everything."""
        super().wipe()
        self.journal.clear()

    def _write(self, records: Sequence[ChangelogRecord], next_offset: int, *, committed: bool) -> None:
        self._process.check()
        super()._write(records, next_offset, committed=committed)
        self.journal.append((list(records), next_offset))


class Disk:
    """One worker slot's."""

    def __init__(self) -> None:
        self._journals: dict[int, list[tuple[list[ChangelogRecord], int]]] = {}

    def open(self, partition: int, process: Process) -> DiskStore:
        """The partition's store as it was left."""
        store = DiskStore(partition, process)
        for records, next_offset in self._journals.get(partition, ()):
            store.apply_batch(records, next_offset)
        self._journals[partition] = store.journal
        return store

    def lose_power(self, keep: float) -> None:
        """The last writes never reached the disk; `keep`: the share of them that did. 0: an empty disk."""
        for partition, journal in self._journals.items():
            self._journals[partition] = journal[: int(len(journal) * keep)]
