"""Lines to records: keys as the contract wants them, an error that names file and line, and what a live pipe brings."""

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from deploy.send import LineError, Outbound, SendError, parse_line, read_files, send
from schemas.topics import Topics
from streams.settings import Settings
from tests.deploy.cli.running import clean_environment

TOPICS = Topics()


async def all_records(paths: Iterable[Path]) -> list[Outbound]:
    return [record async for record in read_files(paths, TOPICS)]


def key_of(value: Any, topic: str = "order", **members: Any) -> bytes | None:
    line = json.dumps({"topic": f"shop.{topic}", "value": value, **members}, ensure_ascii=False)
    return parse_line(line.encode(), "f:1", TOPICS).key


def test_the_key_is_store_and_person_the_customer_first() -> None:
    assert key_of({"store_id": "acme", "anonymous_id": "d-1"}) == b"acme|d-1"
    assert key_of({"store_id": "acme", "anonymous_id": "d-1", "customer_id": "ann"}) == b"acme|ann"
    assert key_of({"store_id": "acme", "anonymous_id": "d-1", "customer_id": None}) == b"acme|d-1"
    assert key_of({"store_id": "acme", "customer_id": "señor-å"}) == "acme|señor-å".encode()


def test_an_order_event_without_a_person_is_keyed_by_the_order() -> None:
    assert key_of({"store_id": "acme", "order_id": "o-9", "type": "canceled"}) == b"acme|order:o-9"


def test_a_definition_is_keyed_by_kind_and_id() -> None:
    assert key_of({"store_id": "acme", "kind": "journey", "id": "j1"}, "definition") == b"acme|journey|j1"


def test_a_given_key_wins_and_what_says_too_little_has_none() -> None:
    assert key_of({"store_id": "acme", "customer_id": "ann"}, key="other") == b"other"
    values: tuple[Any, ...] = ({}, [], 7, "text", {"store_id": 3}, {"store_id": "acme"})
    for value in values:
        assert key_of(value) is None


def test_the_value_goes_as_it_was_written() -> None:
    line = b'{"topic": "shop.order", "timestamp": 5, "value": {"a":  1.50, "a": 2}}'
    record = parse_line(line, "f:1", TOPICS)
    assert record.value == b'{"a":  1.50, "a": 2}'
    assert record.timestamp_ms == 5


def test_raw_bytes_come_as_base64() -> None:
    line = json.dumps({"topic": "shop.click", "value_base64": base64.b64encode(b"\xff{").decode()})
    assert parse_line(line.encode(), "f:1", TOPICS).value == b"\xff{"


@pytest.mark.parametrize("member", [b"", b'"key": "k", '])
def test_a_value_nested_too_deeply_is_an_error_of_its_line(member: bytes) -> None:
    deep = b'{"store_id": "acme", "a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(LineError, match="f:1: nested too deeply"):
        parse_line(b'{"topic": "shop.order", ' + member + b'"value": ' + deep + b"}", "f:1", TOPICS)
    raw = b'"value_base64": "' + base64.b64encode(deep) + b'"}'
    if member:
        assert parse_line(b'{"topic": "shop.order", ' + member + raw, "f:1", TOPICS).value == deep
    else:
        with pytest.raises(LineError, match=r"f:1: .* give the key"):
            parse_line(b'{"topic": "shop.order", ' + raw, "f:1", TOPICS)


def test_null_deletes_a_definition_and_needs_its_key() -> None:
    line = '{"topic": "shop.definition", "value": null, "key": "acme|goal|g"}'
    assert parse_line(line.encode(), "f:1", TOPICS).value is None
    with pytest.raises(LineError, match="give the key"):
        parse_line(b'{"topic": "shop.definition", "value": null}', "f:1", TOPICS)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "one JSON object"),
        ("[]", "one JSON object"),
        ('{"topic": "shop.nope", "value": {}}', "shop.impression"),
        ('{"topic": "order", "value": {}}', "shop.order"),
        ('{"topic": "shop.order"}', "either `value` or `value_base64`"),
        ('{"topic": "shop.order", "value": {}, "value_base64": ""}', "either"),
        ('{"topic": "shop.order", "value_base64": "?"}', "value_base64"),
        ('{"topic": "shop.order", "value": {}, "timestamp": "now"}', "timestamp"),
        ('{"topic": "shop.order", "value": {}, "timestamp": -1}', "1970"),
        ('{"topic": "shop.order", "value": {}, "tiemstamp": 1}', "tiemstamp"),
    ],
)
async def test_a_bad_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text(f'{{"topic": "shop.order", "value": {{}}}}\n\n{line}\n')
    records = read_files([file], TOPICS)
    await anext(records)
    with pytest.raises(LineError, match=r"events.jsonl:3: ") as caught:
        await anext(records)
    assert said in str(caught.value)


async def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(LineError, match=r"nothing\.jsonl"):
        await all_records([Path("nothing.jsonl")])


async def test_lines_of_any_length_come_whole_and_counted(tmp_path: Path) -> None:
    long = json.dumps({"topic": "shop.order", "value": {"note": "x" * 300_000}})
    short = '{"topic": "shop.order", "value": {}}'
    file = tmp_path / "events.jsonl"
    file.write_text(f"{long}\r\n\n{short}\n{long}\n{short}")
    found = [
        (record.origin.rpartition(":")[2], len(record.value or b"")) for record in await all_records([file])
    ]
    assert found == [("1", 300_012), ("3", 2), ("4", 300_012), ("5", 2)]


# -- a live pipe ---------------------------------------------------------------------------------------------------


class FakeProducer:
    """Takes records at once and acknowledges them when its task has a turn, as the client does."""

    def __init__(self, **_: Any) -> None:
        self.values: list[bytes] = []

    async def start(self) -> None: ...
    async def stop(self) -> None: ...

    async def send(self, _: str, value: bytes, **__: Any) -> "asyncio.Future[None]":
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def take() -> None:
            self.values.append(value)
            future.set_result(None)

        loop.call_soon(take)
        return future


@pytest.fixture
def producer(monkeypatch: pytest.MonkeyPatch) -> FakeProducer:
    made = FakeProducer()
    monkeypatch.setattr("deploy.send.AIOKafkaProducer", lambda **_: made)
    return made


async def test_what_comes_through_a_pipe_is_sent_at_once_and_an_interrupt_ends_it(
    producer: FakeProducer,
) -> None:
    end, start = os.pipe()
    told: list[int] = []
    sending = asyncio.create_task(send(Settings(), read_files([Path("-")], TOPICS, end), told.append))
    try:
        async with asyncio.timeout(20):
            for number in (1, 2):
                os.write(start, b'{"topic": "shop.order", "value": %d}\n{"topic": ' % number)
                while len(producer.values) < 2 * number - 1:
                    await asyncio.sleep(0.01)  # until the line that is whole has gone; another is begun
                os.write(start, b'"shop.order", "value": 0, "key": "k"}\n')
                while len(producer.values) < 2 * number:
                    await asyncio.sleep(0.01)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
    finally:
        os.close(start)
        os.close(end)
    assert producer.values == [b"1", b"0", b"2", b"0"]
    assert told[-1] == 4


async def test_a_file_leaves_the_sender_its_turns(producer: FakeProducer, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b'{"topic": "shop.order", "value": 1, "key": "k"}\n' * 5_000)
    before_the_end = 0
    async for record in read_files([file], TOPICS):
        await producer.send(record.topic, record.value or b"")
        before_the_end = max(before_the_end, len(producer.values))
    assert before_the_end > 1_000


async def test_a_refused_record_is_named_and_the_others_are_counted(
    producer: FakeProducer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = producer.send

    async def refusing(topic: str, value: bytes, **more: Any) -> "asyncio.Future[None]":
        future = await taken(topic, value, **more)
        if value == b"2":
            future = asyncio.get_running_loop().create_future()
            future.set_exception(KafkaError("too bad"))
        return future

    monkeypatch.setattr(producer, "send", refusing)
    file = tmp_path / "events.jsonl"
    file.write_text("".join(f'{{"topic": "shop.order", "value": {n}, "key": "k"}}\n' for n in (1, 2, 3)))
    told: list[int] = []
    with pytest.raises(SendError, match=r"events\.jsonl:2: Kafka refused it: .*too bad"):
        await send(Settings(), read_files([file], TOPICS), told.append)
    assert told[-1] == 2


def test_ctrl_c_says_how_many_were_sent(tmp_path: Path) -> None:
    # The signal reaches another thread than the one that waits, as one that comes just before the wait does.
    script = """
import signal, threading
import deploy.send
from deploy.cli import main
from tests.deploy.cli.test_send import FakeProducer

class Telling(FakeProducer):
    async def send(self, *args, **more):
        print("taken", flush=True)
        return await super().send(*args, **more)

threading.Thread(target=threading.Event().wait, daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
deploy.send.AIOKafkaProducer = Telling
main()
"""
    command = [sys.executable, "-c", script, "send", "-", "--data", str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=clean_environment()
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write('{"topic": "shop.order", "value": 1, "key": "k"}\n')
        process.stdin.flush()
        assert process.stdout.readline() == "taken\n"
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(20) == 130  # with the pipe still open
        finally:
            process.kill()
        assert process.stderr.read() == "shopmeter: ended by Ctrl-C; sent so far: 1\n"
