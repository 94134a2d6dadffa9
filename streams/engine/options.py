"""What the engine must be told: names, sizes and times, in one frozen value.

The engine does not read settings files; `streams.app` makes this value from them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.topics import Topics

SECOND_MS = 1000


class BrokenAssumption(RuntimeError):
    """Something that must hold does not. The message says what, where and what now; the process must end."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """One worker's engine. Times in milliseconds, sizes in bytes."""

    topics: Topics
    partitions: int
    instance: str
    """The slot of static group membership: a worker that comes back under it takes its partitions at once."""
    kafka: Mapping[str, Any] = field(repr=False)
    """Keyword arguments of every aiokafka client: bootstrap_servers, security. Not shown: it may hold a password."""

    epoch_interval_ms: int = 500
    epoch_ticks: int = 10
    """How often within an interval the engine looks for partitions whose epoch is due."""
    epoch_max_bytes: int = 16 * 1_048_576
    epoch_max_records: int = 4_000
    """What an epoch has taken is applied at its end in one go: so many hold the event loop for a tenth of a second."""
    # Below the transaction timeout, so that we know of a failure before the broker aborts on its own.
    commit_timeout_ms: int = 8_000
    transaction_timeout_ms: int = 10_000
    session_timeout_ms: int = 7_000
    heartbeat_ms: int = 2_000
    rebalance_timeout_ms: int = 20_000
    chunk_max_records: int = 2_000
    fetch_max_wait_ms: int = 100
    # A response to each record that comes would bring chunks of two or three, and a chunk costs as much as five.
    fetch_min_bytes: int = 65_536
    fetch_partition_bytes: int = 1_048_576
    fetch_max_bytes: int = 16 * 1_048_576
    idle_after_ms: int = 5_000
    alignment_ms: int = 3_600_000
    restore_timeout_ms: int = 300_000
    stuck_after_ms: int = 60_000
    loop_lag_ms: int = 10_000
    expire_step: int = 2_000
    """At most about so many expired keys are deleted in one epoch."""
    compression: str | None = None
    """Measured with rows of 236 bytes: none 1.0 us a record, zstd 1.8 (33 bytes), aiokafka's lz4 6.3 (48 bytes)."""

    @property
    def tick_seconds(self) -> float:
        """Between two ticks of the engine's commit timer."""
        return self.epoch_interval_ms / self.epoch_ticks / SECOND_MS

    @property
    def application(self) -> str:
        """Consumer group, and prefix of the changelog's and of the transactional ids' names."""
        return self.topics.application

    def transactional_id(self, partition: int) -> str:
        """Bound to the partition, not to the worker: the next owner of the partition fences the last one."""
        return f"{self.application}-{partition}"
