"""The local broker: transactions, data that outlives a restart, and nothing left behind; its ports, jars and lock."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from deploy.local import archive, java, ports
from deploy.local.errors import LocalStackError, PortBusy
from deploy.local.jars import Progress, kafka_jars
from deploy.local.kafka import KafkaBroker, new_cluster_id
from deploy.local.kafka_jvm import KafkaJvm
from deploy.local.service import Service, ServiceEvent
from deploy.local.supervisor import Supervisor


async def create_topic(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def produce(bootstrap: str, topic: str, values: list[bytes], *, commit: bool = True) -> None:
    """One transaction."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"test-{topic}")
    await producer.start()
    try:
        await producer.begin_transaction()
        for value in values:
            await producer.send_and_wait(topic, value, partition=0)
        await (producer.commit_transaction() if commit else producer.abort_transaction())
    finally:
        await producer.stop()


async def committed(bootstrap: str, topic: str, count: int) -> list[bytes]:
    """The first `count` values that a reader of committed records sees."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        async with asyncio.timeout(30):
            return [(await consumer.getone()).value for _ in range(count)]
    finally:
        await consumer.stop()


@pytest.mark.kafka
async def test_a_transaction_is_read_back_and_an_aborted_one_is_not(kafka: str) -> None:
    topic = "transaction-is-read-back"
    await create_topic(kafka, topic)
    await produce(kafka, topic, [b"never"], commit=False)
    await produce(kafka, topic, [b"one", b"two"])
    assert await committed(kafka, topic, 2) == [b"one", b"two"]


@pytest.mark.kafka
async def test_a_misspelt_topic_is_not_created(kafka: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, request_timeout_ms=1_000)
    await producer.start()
    try:
        with pytest.raises(KafkaError):
            await producer.send(topic="shop.oder", value=b"lost")
    finally:
        await producer.stop()
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        assert "shop.oder" not in await admin.list_topics()
    finally:
        await admin.close()


@pytest.mark.kafka
async def test_data_outlives_a_kill_and_a_change_of_ports(tmp_path: Path) -> None:
    events: list[ServiceEvent] = []
    first = KafkaBroker.on(tmp_path, port=0)
    async with Supervisor(on_event=events.append) as stack:
        await stack.start(await asyncio.to_thread(first.prepare))
        await create_topic(first.bootstrap, "kept")
        await produce(first.bootstrap, "kept", [b"one"])
        stack.kill("kafka")
        assert await stack.exited("kafka") == -signal.SIGKILL
        await stack.restart("kafka")
        await produce(first.bootstrap, "kept", [b"two"])
    second = KafkaBroker.on(tmp_path, port=0)
    assert second.port != first.port
    async with Supervisor(on_event=events.append) as stack:
        await stack.start(await asyncio.to_thread(second.prepare))
        assert await committed(second.bootstrap, "kept", 2) == [b"one", b"two"]
    # The bounds of a loaded machine; what is usual is in the events' seconds.
    assert [event.service for event in events if event.state == "ready"] == ["kafka"] * 3
    assert all(event.seconds < 60 for event in events)
    assert "Kafka Server started" in second.log.read_text()


BROKER_SCRIPT = """
import asyncio, sys
from pathlib import Path
from deploy.local.kafka import KafkaBroker, new_cluster_id
from deploy.local.supervisor import Supervisor

async def main():
    broker = KafkaBroker.on(Path(sys.argv[1]), port=0)
    service = await asyncio.to_thread(broker.prepare)
    async with Supervisor(signals=True) as stack:
        await stack.start(service)
        print(stack.pid("kafka"), broker.port, flush=True)
        await stack.watch()

asyncio.run(main())
"""


@pytest.mark.kafka
def test_a_supervisor_killed_with_sigkill_leaves_no_java_and_a_free_port(tmp_path: Path) -> None:
    script = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(BROKER_SCRIPT), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert script.stdout is not None
        pid, port = map(int, script.stdout.readline().split())
        broker = psutil.Process(pid)
        held = ports.holder(port)
        assert held is not None
        assert held.pid == pid
        assert held.command.startswith("java kafka.Kafka")
    finally:
        script.kill()
        script.communicate()
    broker.wait(20)
    assert not ports.is_busy(port)
    # Nor any other process that works in the directory.
    assert not [
        one.pid for one in psutil.process_iter(["cmdline"]) if str(tmp_path) in str(one.info["cmdline"])
    ]


@pytest.mark.kafka
def test_a_storage_that_cannot_be_formatted_says_what_the_tool_said(tmp_path: Path) -> None:
    jvm = KafkaJvm(java.find_java(), kafka_jars(), tmp_path)
    jvm.configure({**KafkaBroker.on(tmp_path, port=0).server_properties(), "process.roles": "onlooker"})
    with pytest.raises(LocalStackError, match=r"(?s)could not be formatted \(exit code 1\).*onlooker"):
        jvm.format(new_cluster_id())


# ── configuration ───────────────────────────────────────────────────────────────────────────────────────────────


def test_three_nodes_are_described_by_their_voters() -> None:
    voters = {1: "127.0.0.1:21001", 2: "127.0.0.1:21002", 3: "127.0.0.1:21003"}
    broker = KafkaBroker(
        Path("data"),
        port=20002,
        controller_port=21002,
        node_id=2,
        voters=voters,
        properties={"num.io.threads": "8"},
    )
    properties = broker.server_properties()
    assert properties["node.id"] == "2"
    assert properties["controller.quorum.voters"] == "1@127.0.0.1:21001,2@127.0.0.1:21002,3@127.0.0.1:21003"
    assert properties["transaction.state.log.replication.factor"] == "3"
    assert properties["transaction.state.log.min.isr"] == "2"
    assert properties["num.io.threads"] == "8"


def test_no_cluster_id_looks_like_an_option() -> None:
    chosen = [new_cluster_id() for _ in range(2_000)]  # without the rule, about 30 of them would
    assert all(len(one) == 22 and not one.startswith("-") for one in chosen)


def test_only_loopback_is_listened_on(tmp_path: Path) -> None:
    listeners = KafkaBroker.on(tmp_path, port=0).server_properties()["listeners"].split(",")
    assert all("://127.0.0.1:" in listener for listener in listeners)


def test_a_broker_does_not_start_on_a_busy_port(tmp_path: Path) -> None:
    with socket.socket() as server:
        server.bind((ports.LOOPBACK, 0))
        server.listen()
        broker = KafkaBroker.on(tmp_path, port=server.getsockname()[1])
        with pytest.raises(PortBusy, match=f"port {broker.port} .* for Kafka, is held by pid {os.getpid()}"):
            broker.prepare(use_archive=False)


async def test_a_preparation_that_is_given_up_ends_with_its_thread_and_begins_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    done: list[str] = []

    def prepare(_: KafkaBroker, progress: Progress) -> Service:
        for jar in ("first", "second"):
            progress(f"fetching {jar}")
            begun.set()
            assert go_on.wait(30)
            done.append(jar)
        return Service(name="kafka", argv=(), log=tmp_path / "log")

    monkeypatch.setattr(KafkaBroker, "prepare", prepare)
    broker = KafkaBroker.on(tmp_path, port=0)
    preparing = asyncio.create_task(broker.prepared())
    await asyncio.to_thread(begun.wait, 30)
    preparing.cancel()
    await asyncio.sleep(0.1)
    assert not preparing.done()  # the lock would be free, and the thread at work
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await preparing
    assert done == ["first"]
    assert (await broker.prepared()).name == "kafka"


class Enough(Exception):
    """What a caller raises who has given up."""


@pytest.mark.parametrize(
    ("told", "begun"),
    [
        ("preparing quick starts", []),
        ("writing the archive", ["format", "train"]),
        ("formatting", ["format", "train", "dump"]),
    ],
)
def test_every_step_of_a_preparation_is_told_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str, begun: list[str]
) -> None:
    steps: list[str] = []

    def dump(*places: Any) -> None:
        steps.append("dump")
        places[-1].touch()

    def progress(text: str) -> None:
        if text.startswith(told):
            raise Enough

    monkeypatch.setattr(archive, "cache_directory", lambda: tmp_path / "cache")
    monkeypatch.setattr(archive, "_dump", dump)
    monkeypatch.setattr(KafkaJvm, "up_and_down", lambda jvm: steps.append("train"))
    monkeypatch.setattr(KafkaJvm, "format", lambda jvm, cluster_id: steps.append("format"))
    with pytest.raises(Enough):
        KafkaBroker.on(tmp_path / "data", port=0).prepare(progress)
    assert steps == begun


def test_a_failing_archive_costs_only_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(archive, "make_archive", fails)
    monkeypatch.setattr(archive, "cache_directory", lambda: tmp_path / "cache")
    monkeypatch.setattr(KafkaJvm, "format", lambda self, cluster_id: None)
    told: list[str] = []
    service = KafkaBroker.on(tmp_path, port=0).prepare(told.append)
    assert "no quick starts: OSError: disk full" in told
    assert service.argv[-2] == "kafka.Kafka"
