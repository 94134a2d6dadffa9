"""The sink between the real broker and, where it matters, the real ClickHouse."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from sinks.base import Backpressure, Batch, Rejected
from sinks.batching import BadRow
from sinks.clickhouse import Address
from sinks.delivery import RowRefused
from sinks.memory import MemorySink
from sinks.migrate import migrate
from streams.sink import run_sink
from tests.fixtures.clickhouse import ClickHouseEndpoint, running_endpoint
from tests.sinks.kafka_kit import Notes, lag, running, settings_for, until, writer
from tests.sinks.making import at, encode, order, session, watermark
from tests.sinks.test_dead_letters import OURS, RAW

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def test_committed_rows_and_dead_letters_arrive_and_lag_ends_at_zero(
    kafka: str, tmp_path: Path
) -> None:
    settings, sink = settings_for(kafka, tmp_path), MemorySink()
    async with writer(settings) as write, running(settings, sink) as notes:
        await write.epoch(session("c:a"), order("o1", ("p", 1, 5, "none", "")), watermark(0, at(1)))
        await write.epoch(session("c:never"), commit=False)
        await write.producer.begin_transaction()
        await write.raw(
            settings.topics.dead_letter, RAW, key=b"k", partition=1, headers=OURS, timestamp_ms=at(1)
        )
        await write.producer.commit_transaction()
        await until(lambda: bool(sink.rows("watermarks") and sink.rows("dead_letters")), "rows")
        assert sink.rows("sessions") == [session("c:a")]
        assert sink.rows("orders") == [order("o1", ("p", 1, 5, "none", ""))]
        assert sink.rows("watermarks") == [watermark(0, at(1))]
        (letter,) = sink.rows("dead_letters")
        assert (letter.topic, letter.partition, letter.offset, letter.value) == ("order", 3, 1234, RAW)
        assert letter.record_time == at(1)
        await until(lambda: notes.visible.get("dead_letters") == at(1), "freshness, told after the commit")

        async def caught_up() -> bool:
            return await lag(settings, settings.topics.sunk) == 0

        await until(caught_up, "lag 0, behind the markers of the transactions")


class Gate(MemorySink):
    """Stores, but sessions only when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.order: list[str] = []

    async def write(self, batch: Batch) -> None:
        if batch.table == "sessions":
            await self.open.wait()
        await super().write(batch)
        self.order.append(batch.table)


async def test_a_watermark_is_visible_after_the_rows_of_its_epoch(kafka: str, tmp_path: Path) -> None:
    settings, sink = settings_for(kafka, tmp_path), Gate()
    async with writer(settings) as write:
        for number in range(30):
            await write.epoch(
                *(session(f"c:{number}-{i}") for i in range(50)), watermark(0, at(1) + number, version=number)
            )
        async with running(settings, sink):
            await asyncio.sleep(1.0)  # time enough for a watermark to slip through
            assert sink.rows("watermarks") == []
            sink.open.set()
            await until(
                lambda: [row.version for row in sink.rows("watermarks")] == [29], "the last watermark"
            )
            assert len(sink.rows("sessions")) == 1500
    assert sink.order[0] == "sessions"


async def test_what_was_not_committed_is_read_again(kafka: str, tmp_path: Path) -> None:
    """A sink that is stopped while ClickHouse is away loses nothing and ends in time."""
    settings = settings_for(kafka, tmp_path)

    class Away(MemorySink):
        async def write(self, batch: Batch) -> None:
            raise Backpressure("nobody there")

    second = MemorySink()
    async with writer(settings) as write:
        await write.epoch(session("c:a"), watermark(0, at(1)))
        async with running(settings, Away()) as notes:
            await until(lambda: len(notes.failures) > 2, "repeated attempts")
            assert not notes.is_ready
        assert await lag(settings, [settings.topics.rows]) > 0
        async with running(settings, second):
            await until(lambda: bool(second.rows("watermarks")), "the rows")
    assert second.rows("sessions") == [session("c:a")]


@pytest.mark.parametrize("fault", ["garbage", "refused"])
async def test_a_bad_row_stops_the_process_with_nothing_committed(
    kafka: str, tmp_path: Path, fault: str
) -> None:
    settings = settings_for(kafka, tmp_path)
    topic = settings.topics.rows

    class Picky(MemorySink):
        async def write(self, batch: Batch) -> None:
            if any(b"c:bad" in wire for wire in batch.rows):
                raise Rejected("no", code=53)
            await super().write(batch)

    async with writer(settings) as write:
        await write.producer.begin_transaction()
        await write.raw(topic, encode(session("c:good")), key=b"sessions/1", partition=1)
        bad = b"{}" if fault == "garbage" else encode(session("c:bad"))
        await write.raw(topic, bad, key=b"sessions/2", partition=1)
        await write.producer.commit_transaction()
        error: type[Exception] = BadRow if fault == "garbage" else RowRefused
        with pytest.raises(error, match=rf"{topic}\[1\]@1: "):
            await asyncio.wait_for(run_sink(settings, sink=Picky(), stop=asyncio.Event()), 30)
        assert await lag(settings, [topic]) == 3


async def test_two_sinks_share_the_partitions_and_one_takes_over(kafka: str, tmp_path: Path) -> None:
    settings = settings_for(kafka, tmp_path)
    other = settings.model_copy(update={"sink": settings.sink.model_copy(update={"instance": "1"})})
    sink = MemorySink()
    sent = 0
    async with writer(settings) as write, running(settings, sink):
        async with running(other, sink):
            for partition in (0, 1):
                await write.epoch(*(session(f"c:{partition}-{i}") for i in range(200)), partition=partition)
            sent += 400
            await until(lambda: len(sink.rows("sessions")) == sent, "the rows of both")
        for partition in (0, 1):
            await write.epoch(session(f"c:late-{partition}"), partition=partition)
        await until(lambda: len(sink.rows("sessions")) == sent + 2, "the rows of the one that left")


async def test_an_outage_of_clickhouse_loses_nothing(kafka: str, tmp_path: Path) -> None:
    port = free_port()
    data = tmp_path / "engine"
    settings = settings_for(kafka, tmp_path, url=f"http://127.0.0.1:{port}", database="shopmeter")
    notes = Notes()
    async with writer(settings) as write:
        with running_endpoint(data, "--port", str(port)) as endpoint:
            migrate(Address(endpoint.url, "shopmeter"), {})
            async with running(settings, notes=notes):
                await write.epoch(*(session(f"c:{i}") for i in range(500)), watermark(0, at(1)))
                await until(lambda: ("watermarks", 1) in notes.inserted, "the first rows")
                os.kill(endpoint.process.pid, signal.SIGKILL)
                await asyncio.to_thread(endpoint.process.wait)
                await write.epoch(*(session(f"c:{i}", clicks=1, version=2) for i in range(250, 750)))
                await until(lambda: bool(notes.failures), "an insert that fails")
                assert not notes.is_ready
                with (
                    running_endpoint(data, "--port", str(port)) as again,
                    again.client("shopmeter") as client,
                ):
                    await until(
                        lambda: (
                            client.query("SELECT count(), sum(clicks) FROM session").result_rows
                            == [(750, 500)]
                        ),
                        "all rows after the outage",
                    )
                    assert notes.failures[0] == ("sessions", 0)
                    await until(lambda: notes.is_ready, "ready again")


async def test_kill_9_of_the_sink_loses_and_doubles_nothing(
    kafka: str, tmp_path: Path, clickhouse: ClickHouseEndpoint, clickhouse_database: str
) -> None:
    settings = settings_for(kafka, tmp_path, url=clickhouse.url, database=clickhouse_database)
    migrate(Address(clickhouse.url, clickhouse_database), {})
    environment = {
        **os.environ,
        "SHOPMETER_APPLICATION": settings.application,
        "SHOPMETER_TOPIC_PREFIX": settings.topic_prefix,
        "SHOPMETER_PARTITIONS": str(settings.partitions),
        "SHOPMETER_KAFKA__BOOTSTRAP": kafka,
        "SHOPMETER_CLICKHOUSE__URL": clickhouse.url,
        "SHOPMETER_CLICKHOUSE__DATABASE": clickhouse_database,
        "SHOPMETER_SINK__BATCH_MAX_ROWS": "400",
    }
    program = (
        "import asyncio; from streams.settings import load_settings; from streams.sink import run_sink;"
        + ("asyncio.run(run_sink(load_settings()))")
    )
    rounds, people = 6, 3000

    def arrived(number: int, goal: int) -> bool:
        query = f"SELECT countIf(clicks = {number}) FROM session"
        return bool(client.query(query).result_rows[0][0] >= goal)

    async with writer(settings) as write:
        with clickhouse.client(clickhouse_database) as client:
            for number in range(1, rounds + 1):
                with subprocess.Popen([sys.executable, "-c", program], env=environment) as sink:  # noqa: ASYNC220
                    try:
                        for start in range(0, people, 500):
                            await write.epoch(
                                *(
                                    session(f"c:{i}", clicks=number, version=number)
                                    for i in range(start, start + 500)
                                ),
                                partition=start // 500 % 2,
                            )
                        goal = people if number == rounds else people // 3
                        await until(partial(arrived, number, goal), "rows")
                    finally:
                        sink.send_signal(signal.SIGTERM if number == rounds else signal.SIGKILL)
                        code = await asyncio.to_thread(sink.wait, 12)
                    assert code == (0 if number == rounds else -signal.SIGKILL)
            assert client.query(
                "SELECT count(), uniqExact(person), min(clicks) FROM session"
            ).result_rows == [(people, people, rounds)]
