"""Latency from the outside: probe events of people of their own, and a reader that polls until it sees their rows.

Counted from just before an event is handed to the Kafka client until a query that shows its row has come back. So it
holds the poll's own interval and time: what a reader of the tables would say, never less.
"""

import asyncio
import time
from statistics import quantiles
from typing import Any

import aiohttp
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.history import STORE
from bench.peer import PeerResult, Stopwatch, main
from bench.tasks import ProbeTask

NAME = "probe-"
FOLLOWED_PARTITION = 0
_PERSON = f"c:{NAME}"


def probe(number: int, now_ms: int, run: str) -> tuple[bytes, bytes]:
    """Key and value of a page view of probe person `number`."""
    person = f"{NAME}{number:06d}"
    body = {
        "event_id": f"{run}-{number}",
        "type": "activity",
        "store_id": STORE,
        "occurred_at": now_ms,
        "customer_id": person,
        "session_id": f"{run}-s{number}",
        "name": "page_view",
    }
    return f"{STORE}|{person}".encode(), orjson.dumps(body)


class Probes:
    """What was sent when, and when it was seen."""

    def __init__(self) -> None:
        self.sent: dict[int, float] = {}
        self.committed: dict[int, float] = {}
        """When a consumer of the rows topic had the row: the worker's share of the way. Of one partition's persons."""
        self.seen: dict[int, float] = {}
        self.query_s: list[float] = []

    @property
    def oldest_unseen(self) -> int | None:
        """The first probe that no query has shown yet."""
        return min(self.sent.keys() - self.seen.keys(), default=None)

    def latencies(self, since: float, until: dict[int, float]) -> list[float]:
        """Seconds from the send to `until` of all probes sent at or after a moment, ascending."""
        return sorted(until[n] - sent for n, sent in self.sent.items() if sent >= since and n in until)


async def send(task: ProbeTask, probes: Probes, until: float) -> None:
    """Probes at an even pace, none waiting for another."""
    producer: Any = AIOKafkaProducer(bootstrap_servers=task.bootstrap, acks="all", linger_ms=0)
    await producer.start()
    run = f"p{time.time_ns():x}"
    topic = task.topics.source("session")
    start, number, deliveries = time.monotonic(), 0, []
    try:
        while (now := time.monotonic()) < until:
            key, value = probe(number, time.time_ns() // 1_000_000, run)
            probes.sent[number] = now
            deliveries.append(await producer.send(topic, value, key=key))
            number += 1
            await asyncio.sleep(max(0.0, start + number / task.rate - time.monotonic()))
        await asyncio.gather(*deliveries)
    finally:
        await producer.stop()


async def follow(task: ProbeTask, probes: Probes) -> None:
    """Note when the worker's transactions with the probes' rows are readable. Runs until it is cancelled.

    Of one partition: to read all rows would take a quarter of a core from the processes that are measured.
    """
    consumer: Any = AIOKafkaConsumer(
        bootstrap_servers=task.bootstrap,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
    )
    consumer.assign([TopicPartition(task.topics.rows, FOLLOWED_PARTITION)])
    await consumer.start()
    try:
        async for record in consumer:
            place = record.value.find(_PERSON.encode())
            if place >= 0:
                begin = place + len(_PERSON)
                probes.committed.setdefault(int(record.value[begin : begin + 6]), time.monotonic())
    finally:
        await consumer.stop()


async def watch(task: ProbeTask, probes: Probes, sending: "asyncio.Task[None]") -> None:
    """Poll until all that was sent is seen; TimeoutError if patience runs out."""
    async with aiohttp.ClientSession() as http:
        deadline: float | None = None
        while True:
            oldest = probes.oldest_unseen
            if sending.done():
                sending.result()
                if oldest is None:
                    return
                deadline = deadline or time.monotonic() + task.patience_s
                if time.monotonic() > deadline:
                    raise TimeoutError(
                        f"probe {oldest} is not visible {task.patience_s:.0f} s after the last was sent"
                    )
            if oldest is not None:
                await _poll(http, task, probes, oldest)
            await asyncio.sleep(task.poll_s)


async def _poll(http: aiohttp.ClientSession, task: ProbeTask, probes: Probes, oldest: int) -> None:
    query = (
        f"SELECT person FROM sessions WHERE store_id = '{STORE}'"
        f" AND person >= '{_PERSON}{oldest:06d}' AND person < '{_PERSON}a' FORMAT TSV"
    )
    began = time.monotonic()
    async with http.post(task.url, params={"database": task.database}, data=query) as answer:
        text = await answer.text()
        if answer.status != 200:
            raise RuntimeError(f"ClickHouse answers {answer.status}: {text[:300]}")
    now = time.monotonic()
    probes.query_s.append(now - began)
    for line in text.split():
        probes.seen.setdefault(int(line.removeprefix(_PERSON)), now)


async def run(task: ProbeTask) -> PeerResult:
    """Send and watch; the first `warm_up_s` seconds are not counted."""
    probes, stopwatch = Probes(), Stopwatch()
    began = time.monotonic()
    sending = asyncio.ensure_future(send(task, probes, began + task.warm_up_s + task.seconds))
    following = asyncio.ensure_future(follow(task, probes))
    try:
        await watch(task, probes, sending)
    finally:
        following.cancel()
    latencies = probes.latencies(began + task.warm_up_s, probes.seen)
    committed = quantiles(
        probes.latencies(began + task.warm_up_s, probes.committed), n=100, method="inclusive"
    )
    cuts = quantiles(latencies, n=100, method="inclusive")
    return stopwatch.result(
        len(latencies),
        p50_s=cuts[49],
        p90_s=cuts[89],
        p99_s=cuts[98],
        max_s=latencies[-1],
        committed_p50_s=committed[49],
        committed_p99_s=committed[98],
        query_p50_s=quantiles(probes.query_s, n=2)[0],
    )


if __name__ == "__main__":
    main(ProbeTask, arun=run)
