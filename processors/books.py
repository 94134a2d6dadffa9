"""The books of one partition: what became of the records, for the ledger's rows and for telemetry."""

from collections.abc import Mapping
from typing import Final

from processors.counters import (
    ACCEPTED,
    BUCKETS,
    DEAD_LETTER,
    DUPLICATE,
    FORWARDED,
    HOUR_MS,
    LEDGER_NAMES,
    READ,
    REASON_INDEX,
    TEST_TRAFFIC,
    TOO_LATE,
    Cells,
    LedgerKey,
)
from schemas.epoch import StateReader
from schemas.reasons import Reason


class Books:
    """Counts are kept by run of records of one hour (a tally, in the order of LEDGER_NAMES), and entered by chunk."""

    def __init__(self, state: StateReader) -> None:
        self.ledger: Cells[LedgerKey] = Cells(b"L", LEDGER_NAMES, state)
        self._tallies: list[tuple[int, list[int]]] = []
        self._counts: dict[tuple[str, str, str], int] = {}

    def open(self, hour: int) -> list[int]:
        """The tally of a run of records of one hour (of their timestamps, since 1970)."""
        tally = [0] * len(LEDGER_NAMES)
        self._tallies.append((hour, tally))
        return tally

    def enter(self, topic: str) -> None:
        """A chunk of this topic is through: put its tallies into the ledger and the telemetry."""
        for hour, tally in self._tallies:
            if not tally[READ]:
                continue
            cell = self.ledger.cell((topic, max(hour, 0) * HOUR_MS))
            for index, value in enumerate(tally):
                if value:
                    cell[index] += value
                    if index in _COUNTED:
                        key = (topic, *_COUNTED[index])
                        self._counts[key] = self._counts.get(key, 0) + value
        self._tallies.clear()

    def counts(self) -> Mapping[tuple[str, str, str], int]:
        """(short topic, bucket, reason) -> records since the last call."""
        counts, self._counts = self._counts, {}
        return counts


_COUNTED: Final = {
    ACCEPTED: (BUCKETS[ACCEPTED], ""),
    DUPLICATE: (BUCKETS[DUPLICATE], ""),
    TEST_TRAFFIC: (BUCKETS[TEST_TRAFFIC], ""),
    TOO_LATE: (BUCKETS[TOO_LATE], Reason.TOO_LATE.value),
    FORWARDED: (BUCKETS[FORWARDED], ""),
    **{index: (BUCKETS[DEAD_LETTER], reason) for reason, index in REASON_INDEX.items()},
}
