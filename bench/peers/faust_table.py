"""A stock Faust agent: events counted by person in a table kept in memory, at least once, with Faust's own driver.

It does a small part of Shopmeter's work (no sessions, no credit, no rows, and a crash may count twice); it is what one
writes first. Raw bytes and orjson, since Faust's own JSON codec would stop at the history's broken records.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import faust
import msgspec
import orjson

from bench.peer import Stopwatch, write
from bench.tasks import FaustTask


def build(task: FaustTask, watch: "dict[str, Any]", done: "asyncio.Event") -> faust.App:
    """The app, not started. `done` is set when enough events are counted."""
    app = faust.App(
        "bench-stock-faust",
        broker=f"kafka://{task.bootstrap}",
        store="memory://",
        datadir=task.directory,
        processing_guarantee="at_least_once",
        topic_partitions=task.partitions,
        topic_replication_factor=1,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
        worker_redirect_stdouts=False,
    )
    counts = app.Table("counts", default=int, partitions=task.partitions)
    source = app.topic(*task.topics.sources, key_serializer="raw", value_serializer="raw")

    @app.agent(source)  # type: ignore[untyped-decorator]
    async def count(stream: Any) -> None:
        events = broken = 0
        async for event in stream.events():
            if not events:
                watch["watch"] = Stopwatch()
            try:
                orjson.loads(event.value)
            except orjson.JSONDecodeError:
                broken += 1
            counts[event.key.decode()] += 1
            events += 1
            if events == task.events:
                watch["result"] = watch["watch"].result(events, broken=broken, people=len(counts))
                done.set()

    return app


async def run(task: FaustTask) -> Any:
    """Count until there are enough; the result. Faust's orderly stop is not waited for."""
    watch: dict[str, Any] = {}
    done = asyncio.Event()
    app = build(task, watch, done)
    async with app:
        await done.wait()
        return watch["result"]


def main() -> None:
    """Run, write the result, and leave at once: Faust's stop takes half a minute and is not what is measured."""
    task = msgspec.json.decode(sys.argv[1], type=FaustTask)

    async def work() -> None:
        watch: dict[str, Any] = {}
        done = asyncio.Event()
        app = build(task, watch, done)
        starting = asyncio.ensure_future(app.start())
        await asyncio.wait(
            [starting, asyncio.ensure_future(done.wait())], return_when=asyncio.FIRST_COMPLETED
        )
        if not done.is_set():
            await starting  # raises what ended it
            await done.wait()
        write(Path(sys.argv[2]), watch["result"])
        sys.stderr.flush()
        os._exit(0)

    asyncio.run(work())


if __name__ == "__main__":
    main()
