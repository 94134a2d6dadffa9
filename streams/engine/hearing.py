"""What all partitions say of how far they are, read from the progress topic and handed on in the order it was said.

State expires by the least of it. So nothing is handed on before the end that the topic had at our start is reached:
compaction leaves of the past each partition's last report, and a part of those would not be of one moment.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.engine.assigning import cancel
from streams.engine.fatal import Exit
from streams.engine.fetch_task import require_fetching
from streams.engine.options import EngineOptions

OnReport = Callable[[int, bytes], None]

Hear = Callable[[EngineOptions, OnReport], Coroutine[Any, Any, None]]
"""Hands on every partition's reports for ever."""

WAIT_MS: Final = 500


async def hear_reports(options: EngineOptions, on_report: OnReport) -> None:
    """Read the progress topic for ever. `on_report`: (partition, report). Raises whatever goes wrong."""
    topic = TopicPartition(options.topics.progress, 0)
    reader = AIOKafkaConsumer(
        **options.kafka,
        client_id=f"{options.application}-{options.instance}-progress",
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        # A report and what it says was sent and received are of one transaction: an aborted one never happened.
        isolation_level="read_committed",
        fetch_max_wait_ms=WAIT_MS,
    )
    past: dict[int, bytes] = {}
    try:
        await reader.start()
        reader.assign([topic])
        end = (await reader.end_offsets([topic]))[topic]
        reader.seek(topic, (await reader.beginning_offsets([topic]))[topic])
        while await reader.position(topic) < end:
            for record in (await reader.getmany(topic, timeout_ms=WAIT_MS)).get(topic, ()):
                past[int(record.key)] = record.value
            await asyncio.sleep(0)  # with records at hand, neither call above waits
        for partition, report in past.items():
            on_report(partition, report)
        while True:
            for record in (await reader.getmany(topic, timeout_ms=WAIT_MS)).get(topic, ()):
                on_report(int(record.key), record.value)
            require_fetching(reader)
    finally:
        await reader.stop()


class Hearing:
    """One worker's: from its first assignment until it shuts down. `last`: what each partition reported last."""

    def __init__(self, options: EngineOptions, hear: Hear, on_report: OnReport, exit: Exit) -> None:
        self.last: dict[int, bytes] = {}
        self._options = options
        self._hear = hear
        self._tell = on_report
        self._exit = exit
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Hear, if it does not yet. What can't be read ends the process."""
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())

    async def end(self) -> None:
        """Hear no more."""
        if self._task is not None:
            await cancel([self._task])

    async def _run(self) -> None:
        try:
            await self._hear(self._options, self._on_report)
        except Exception as error:
            self._exit(f"{self._options.topics.progress}: what partitions report can't be read", error)

    def _on_report(self, number: int, report: bytes) -> None:
        self.last[number] = report
        self._tell(number, report)
