"""Where readers of committed records stop before the end, held back by a transaction that is open."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.closing import within

CLOSE_TIMEOUT_S: Final = 5.0


class OpenTransactions:
    """Asks it of some places. `async with`; one question at a time."""

    def __init__(self, kafka: Mapping[str, Any], client_id: str, places: Sequence[TopicPartition]) -> None:
        self._options = {**kafka, "client_id": client_id, "group_id": None}
        self._places = places
        self._readers: list[Any] = []
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opening:
            # In this order: what is committed between the two questions would show as held back otherwise.
            for isolation in ("read_uncommitted", "read_committed"):
                reader: Any = AIOKafkaConsumer(**self._options, isolation_level=isolation)
                opening.push_async_callback(lambda reader: within(reader.stop(), CLOSE_TIMEOUT_S), reader)
                await reader.start()
                reader.assign(self._places)  # of an unknown topic there is no leader to ask
                reader.pause(*self._places)
                self._readers.append(reader)
            self._open = opening.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    async def held_back(self) -> dict[TopicPartition, int]:
        """Place -> where readers stop, of those in which that is before the end. Raises KafkaError."""
        written, stable = [await reader.end_offsets(self._places) for reader in self._readers]
        return {place: stable[place] for place in self._places if stable[place] < written[place]}
