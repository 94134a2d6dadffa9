"""What the engine tells about itself. A protocol, and the one that says nothing; numbers leave the engine only here."""

from collections.abc import Mapping, Sequence
from typing import Protocol


class EngineTelemetry(Protocol):
    """Called on the event loop's thread, between events: must be quick and must not raise. Times in seconds."""

    def ready(self, ready: bool) -> None:
        """True when every assigned partition is restored and processing; False from a rebalance until then."""
        ...

    def on_chunk(self, topic: str, partition: int, records: int, seconds: float) -> None:
        """A chunk of a source topic (short name) was processed."""
        ...

    def on_epoch(
        self,
        partition: int,
        seconds: float,
        commit_seconds: float,
        rows: Mapping[str, int],
        changelog_bytes: int,
    ) -> None:
        """An epoch was committed. `seconds`: from its first chunk until committed; `rows`: by table."""
        ...

    def on_event_to_row(self, seconds: float) -> None:
        """The newest event of an epoch that is now committed happened so long ago."""
        ...

    def on_counts(self, partition: int, counts: Mapping[tuple[str, str, str], int]) -> None:
        """(short topic, bucket, reason) -> records of an epoch that is now committed. Each record is told once."""
        ...

    def on_gauges(self, partition: int, gauges: Mapping[str, float]) -> None:
        """The processor's gauges, about once a second."""
        ...

    def on_restore(self, partition: int, records: int, seconds: float) -> None:
        """A partition's state is complete; `records` were read from the changelog."""
        ...

    def on_rebalance(self, partitions: Sequence[int]) -> None:
        """These partition numbers are this worker's now."""
        ...

    def on_unread_expired(self, topic: str, partition: int, records: int) -> None:
        """Records of a source topic were deleted by retention before they were read: lost. Alert on it."""
        ...

    def on_aligned(self, partition: int, topics: int) -> None:
        """So many topics of the partition are held back now, because they run ahead of the slowest."""
        ...

    def on_gc(self, found: int, seconds: float) -> None:
        """A garbage collection between epochs: how many objects it found in cycles."""
        ...

    def on_partition_closed(self, partition: int) -> None:
        """The partition is not this worker's any more; its gauges should go."""
        ...


class NoTelemetry:
    """Says nothing."""

    def ready(self, ready: bool) -> None:
        """Nothing."""

    def on_chunk(self, topic: str, partition: int, records: int, seconds: float) -> None:
        """Nothing."""

    def on_epoch(
        self,
        partition: int,
        seconds: float,
        commit_seconds: float,
        rows: Mapping[str, int],
        changelog_bytes: int,
    ) -> None:
        """Nothing."""

    def on_event_to_row(self, seconds: float) -> None:
        """Nothing."""

    def on_counts(self, partition: int, counts: Mapping[tuple[str, str, str], int]) -> None:
        """Nothing."""

    def on_gauges(self, partition: int, gauges: Mapping[str, float]) -> None:
        """Nothing."""

    def on_restore(self, partition: int, records: int, seconds: float) -> None:
        """Nothing."""

    def on_rebalance(self, partitions: Sequence[int]) -> None:
        """Nothing."""

    def on_unread_expired(self, topic: str, partition: int, records: int) -> None:
        """Nothing."""

    def on_aligned(self, partition: int, topics: int) -> None:
        """Nothing."""

    def on_gc(self, found: int, seconds: float) -> None:
        """Nothing."""

    def on_partition_closed(self, partition: int) -> None:
        """Nothing."""
