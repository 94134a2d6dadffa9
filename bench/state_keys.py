"""How many keys a state has, counted in its changelog: what a recovery from nothing brings back."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.engine.state.codec import DIGEST_BYTES, SeenRecord, StateRecord, decode


class StateKeys(NamedTuple):
    """`keys`: people's, sessions', orders'; `seen`: ids of events, each a key of the local store too."""

    keys: int
    seen: int


class Counting:
    """Takes changelog records in offset order, of all partitions one after the other."""

    def __init__(self) -> None:
        self._live: dict[bytes, int] = {}

    def take(self, partition: int, records: Iterable[tuple[bytes, bytes | None]]) -> None:
        """The last record of a key counts; a deleted key does not. CodecError for what is no changelog record."""
        for key, value in records:
            decoded = decode(key, value)
            place = b"%d/%b" % (partition, key)
            if value is None:
                self._live.pop(place, None)
            elif isinstance(decoded, StateRecord):
                self._live[place] = 0
            elif isinstance(decoded, SeenRecord):
                self._live[place] = len(decoded.digests or b"") // DIGEST_BYTES

    def counted(self) -> StateKeys:
        """So far."""
        seen = [count for count in self._live.values() if count]
        return StateKeys(len(self._live) - len(seen), sum(seen))


async def state_keys(bootstrap: str, changelog: str, partitions: int) -> StateKeys:
    """Of a changelog that nobody writes to any more."""
    consumer: Any = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        counting = Counting()
        for number in range(partitions):
            place = TopicPartition(changelog, number)
            end = (await consumer.end_offsets([place]))[place]
            consumer.assign([place])
            await consumer.seek_to_beginning(place)
            while await consumer.position(place) < end:
                for batch in (await consumer.getmany(timeout_ms=50)).values():
                    counting.take(number, ((record.key, record.value) for record in batch))
        return counting.counted()
    finally:
        await consumer.stop()
