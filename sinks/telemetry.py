"""What a sink tells about itself. The process plugs a Prometheus registry in; tests and tools need none."""

from typing import Protocol


class SinkTelemetry(Protocol):
    """Called once for each insert or state change, never for a row."""

    def on_insert(self, table: str, rows: int, seconds: float) -> None:
        """A batch is stored: how many rows, and how long the insert took, retries not counted."""
        ...

    def on_failure(self, table: str, code: int) -> None:
        """An insert failed with ClickHouse's error code; 0: it did not come that far (network)."""
        ...

    def on_visible(self, table: str, record_time_ms: int) -> None:
        """Everything of this table that was read is visible up to this record timestamp (freshness)."""
        ...

    def ready(self, is_ready: bool) -> None:
        """True: partitions are assigned and the last insert passed. False: waiting for ClickHouse or for Kafka."""
        ...


class NoTelemetry:
    """Tells nobody."""

    def on_insert(self, table: str, rows: int, seconds: float) -> None: ...
    def on_failure(self, table: str, code: int) -> None: ...
    def on_visible(self, table: str, record_time_ms: int) -> None: ...
    def ready(self, is_ready: bool) -> None: ...
