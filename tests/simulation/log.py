"""The brokers' side of Kafka: logs with offsets and markers, transactions, fencing, compaction, committed offsets."""

import asyncio
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, Final

from aiokafka.errors import InvalidProducerEpoch, ProducerFenced

from schemas.epoch import Record
from tests.simulation.clock import Handle
from tests.simulation.stage import Stage

Place = tuple[str, int]
"""(topic, partition)"""
Sent = tuple[int, bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]
"""Timestamp, key, value, headers."""

TRANSACTION_TIMEOUT_S: Final = 10.0


class Transaction:
    """One transaction of one producer."""

    __slots__ = ("failed", "offsets", "places", "state", "waiting")

    def __init__(self) -> None:
        self.state = "open"
        self.places: dict[Place, int] = {}
        """Where it wrote -> its first offset there."""
        self.offsets: dict[tuple[str, Place], int] = {}
        self.waiting = 0
        """Markers still to be written."""
        self.failed = ""
        """A delivery that the broker refused: the producer must not commit."""


class Identity:
    """What the coordinator knows of one transactional id."""

    __slots__ = ("epoch", "running", "timer")

    def __init__(self) -> None:
        self.epoch = -1
        self.running: Transaction | None = None
        self.timer: Handle | None = None


class Log:
    """One partition of one topic. An entry without record is a marker, or was compacted away."""

    def __init__(self) -> None:
        self.entries: list[tuple[Record | None, Transaction | None]] = []
        self.open: dict[Transaction, int] = {}
        self.begin = 0

    @property
    def end(self) -> int:
        """The high watermark."""
        return len(self.entries)

    @property
    def stable_end(self) -> int:
        """The last stable offset: before the first transaction that has no marker here yet."""
        return min(self.open.values()) if self.open else len(self.entries)

    def read(self, position: int, limit: int) -> tuple[list[Record], int]:
        """Committed records from a position on, and the position behind them (or behind what is passed over)."""
        records: list[Record] = []
        end, entries = self.stable_end, self.entries
        while position < end and len(records) < limit:
            record, transaction = entries[position]
            if record is not None and (transaction is None or transaction.state == "committed"):
                records.append(record)
            position += 1
        if len(records) < limit:
            position = max(position, end)
        return records, position

    def committed(self, position: int = 0) -> list[Record]:
        """All committed records from a position on."""
        return self.read(position, len(self.entries) + 1)[0]


class Broker:
    """All partitions and the coordinators, as one machine that never dies."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.logs: dict[Place, Log] = {}
        self.identities: dict[str, Identity] = {}
        self.committed: dict[tuple[str, Place], int] = {}
        """(group, place) -> next offset."""
        self.on_commit: Any = lambda transaction: None
        """Told of a transaction when it is decided to commit it."""
        self._waiting: list[tuple[Container[Place], asyncio.Future[None]]] = []

    def log(self, place: Place) -> Log:
        """A partition; made when it is first asked for."""
        log = self.logs.get(place)
        if log is None:
            log = self.logs[place] = Log()
        return log

    # --- waiting for news ---------------------------------------------------------------------------------------

    def _changed(self, place: Place) -> None:
        waiting, self._waiting = self._waiting, []
        for places, future in waiting:
            if place in places:
                if not future.done():
                    future.set_result(None)
            elif not future.done():
                self._waiting.append((places, future))

    async def news(self, places: Container[Place], seconds: float) -> None:
        """Until something new can be read at one of these places, or the time is over."""
        future = self._stage.loop.create_future()
        timer = self._stage.loop.call_later(
            seconds, lambda: None if future.done() else future.set_result(None)
        )
        self._waiting.append((places, future))
        try:
            await future
        finally:
            timer.cancel()

    # --- producers ----------------------------------------------------------------------------------------------

    def append(self, place: Place, records: Iterable[Sent], transaction: Transaction | None = None) -> int:
        """Returns the first offset."""
        log = self.log(place)
        first = len(log.entries)
        for timestamp, key, value, headers in records:
            log.entries.append((Record(len(log.entries), timestamp, key, value, headers), transaction))
        if transaction is not None:
            if place not in transaction.places:
                transaction.places[place] = log.open[transaction] = first
        else:
            self._changed(place)
        return first

    def begin_producer(self, name: str) -> int | None:
        """Fence every older producer of this transactional id. The new epoch; None: ask again, an end is on its way."""
        identity = self.identities.setdefault(name, Identity())
        running = identity.running
        if running is not None:
            if running.state == "open":
                identity.epoch += 1
                self._finish(identity, running, "aborted")
            return None
        identity.epoch += 1
        return identity.epoch

    def transaction(self, name: str, epoch: int) -> Transaction | None:
        """The producer's open transaction, begun if there is none; None: the last one's end is on its way."""
        identity = self._mine(name, epoch)
        running = identity.running
        if running is None:
            running = identity.running = Transaction()
            identity.timer = self._stage.loop.call_later(TRANSACTION_TIMEOUT_S, self._time_out, name, running)
        elif running.state != "open":
            return None
        return running

    def _mine(self, name: str, epoch: int) -> Identity:
        identity = self.identities[name]
        if identity.epoch != epoch:
            raise ProducerFenced(f"{name} has epoch {identity.epoch}, not {epoch}")
        return identity

    def produce(self, name: str, epoch: int, place: Place, records: Sequence[Sent]) -> int | None:
        """Records of an open transaction. The first offset, or None: ask again."""
        transaction = self.transaction(name, epoch)
        return None if transaction is None else self.append(place, records, transaction)

    def add_offsets(self, name: str, epoch: int, group: str, offsets: Mapping[Place, int]) -> bool | None:
        """Source offsets join the transaction."""
        transaction = self.transaction(name, epoch)
        if transaction is None:
            return None
        transaction.offsets.update({(group, place): offset for place, offset in offsets.items()})
        return True

    def end(self, name: str, epoch: int) -> bool:
        """Decide to commit the open transaction. Its markers follow, each partition's at a moment of its own."""
        identity = self._mine(name, epoch)
        running = identity.running
        if running is None or running.state != "open":
            raise InvalidProducerEpoch(f"{name}: no transaction is open")
        if running.failed:
            self._stage.find(f"{name}: a transaction was committed past a failed delivery: {running.failed}")
        self._finish(identity, running, "committed")
        return True

    def _time_out(self, name: str, transaction: Transaction) -> None:
        identity = self.identities[name]
        if identity.running is transaction and transaction.state == "open":
            self._stage.note(f"transaction of {name} times out")
            identity.epoch += 1
            self._finish(identity, transaction, "aborted")

    def _finish(self, identity: Identity, transaction: Transaction, state: str) -> None:
        transaction.state = state
        if identity.timer is not None:
            identity.timer.cancel()
        if state == "committed":
            self.on_commit(transaction)
            for member, offset in transaction.offsets.items():
                if offset < self.committed.get(member, 0):
                    self._stage.find(
                        f"{member}: committed offset goes back to {offset} from {self.committed[member]}"
                    )
                self.committed[member] = offset
        transaction.waiting = len(transaction.places)
        if not transaction.waiting:
            identity.running = None
        for place in transaction.places:
            self._stage.loop.call_later(self._stage.latency(), self._mark, identity, transaction, place)

    def _mark(self, identity: Identity, transaction: Transaction, place: Place) -> None:
        log = self.log(place)
        del log.open[transaction]
        log.entries.append((None, None))
        transaction.waiting -= 1
        if not transaction.waiting:
            identity.running = None
        self._changed(place)

    # --- compaction ---------------------------------------------------------------------------------------------

    def compact(self, place: Place, below: int | None = None) -> None:
        """Below the last stable offset (or `below`), keep the last committed record of each key."""
        log = self.log(place)
        last: dict[bytes | None, int] = {}
        end = log.stable_end if below is None else min(below, log.stable_end)
        for offset in range(end):
            record, transaction = log.entries[offset]
            if record is not None and (transaction is None or transaction.state == "committed"):
                last[record.key] = offset
        for offset in range(end):
            record, transaction = log.entries[offset]
            if record is not None and last.get(record.key) != offset:
                log.entries[offset] = (None, transaction)
