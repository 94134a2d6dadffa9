"""What all partitions say of how far they are, read from the progress topic and handed on in the order it was said.

State expires by the least of it. So nothing is handed on before the end that the topic had at our start is reached:
compaction leaves of the past each partition's last report, and a part of those would not be of one moment.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.engine.options import EngineOptions

OnReport = Callable[[int, bytes], None]

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
    finally:
        await reader.stop()
