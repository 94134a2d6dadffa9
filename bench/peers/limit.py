"""The limit: aiokafka's own consumer and orjson over the six topics, nothing else. No process here can be faster."""

from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.peer import PeerResult, Stopwatch, main
from bench.tasks import LimitTask

FETCH_RECORDS = 10_000


async def run(task: LimitTask) -> PeerResult:
    """Read every record from the beginning to what is the end now, and parse it."""
    consumer: Any = AIOKafkaConsumer(
        bootstrap_servers=task.bootstrap,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        # As the worker reads.
        isolation_level="read_committed",
        fetch_max_wait_ms=100,
        fetch_max_bytes=16 * 1_048_576,
    )
    await consumer.start()
    try:
        places = [
            TopicPartition(topic, number)
            for topic in task.topics.sources
            for number in range(task.partitions)
        ]
        consumer.assign(places)
        wanted = sum((await consumer.end_offsets(places)).values())
        watch = Stopwatch()
        loads, events, broken = orjson.loads, 0, 0
        while events < wanted:
            fetched = await consumer.getmany(timeout_ms=100, max_records=FETCH_RECORDS)
            for records in fetched.values():
                for record in records:
                    try:
                        loads(record.value)
                    except orjson.JSONDecodeError:
                        broken += 1  # the history holds a few on purpose
                events += len(records)
        return watch.result(events, broken=broken)
    finally:
        await consumer.stop()


if __name__ == "__main__":
    main(LimitTask, arun=run)
