"""Where Kafka's default partitioner puts a key, remembered per key: the simulator asks for every record."""

from typing import Final

from schemas.partitioning import partition_of


class Partitioner:
    """Key -> partition of a topic with `partitions` partitions. Keys repeat, so each is hashed once."""

    def __init__(self, partitions: int) -> None:
        self.partitions: Final = partitions
        self._known: dict[bytes, int] = {}

    def __call__(self, key: bytes) -> int:
        partition = self._known.get(key)
        if partition is None:
            if len(self._known) > 2_000_000:
                self._known.clear()
            partition = self._known[key] = partition_of(key, self.partitions)
        return partition
