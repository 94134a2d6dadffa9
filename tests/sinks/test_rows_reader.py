"""What the reader of rows says while partitions are given out anew."""

import pytest
from aiokafka import TopicPartition

from streams.rows_reader import Revoked, RowsReader
from streams.settings import Settings


class _Consumer:
    """Goes on with its old share until the next one is known, as aiokafka does."""

    def __init__(self, share: set[TopicPartition]) -> None:
        self._share = share

    def assignment(self) -> set[TopicPartition]:
        return self._share

    async def position(self, tp: TopicPartition) -> int:
        return 7


async def test_between_two_generations_no_position_is_told_that_could_be_committed() -> None:
    reader = RowsReader(Settings(partitions=1))
    share = {TopicPartition(topic, 0) for topic in reader.topics}
    reader._consumer = _Consumer(share)
    reader.on_partitions_assigned(share)
    assert set((await reader.positions()).values()) == {7}
    reader.on_partitions_revoked(share)
    with pytest.raises(Revoked, match="rebalance"):
        await reader.positions()
    reader.on_partitions_assigned(share)
    assert set((await reader.positions()).values()) == {7}
