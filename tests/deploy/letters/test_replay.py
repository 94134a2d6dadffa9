"""Dead letters that come back, through the real broker, worker, sink and engine."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from deploy.dead_letters import Letter, Wanted, as_line, find, newest, one, totals
from deploy.fixing import FixFailed
from deploy.query import Server, server_of
from deploy.replay import Outcome, replay
from deploy.send import key_of, parse_line
from deploy.skipping import SkipRefused, skip
from schemas.stores import Store
from streams.interventions import Coordinates
from tests.fixtures.clickhouse import ClickHouseEndpoint
from tests.kafka.campaign.visible import read_topic
from tests.kafka.pipeline_kit import Installation, installation

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]

HOUR_MS = 3_600_000
STORES = {"acme": Store(), "tokyo": Store(currency="JPY")}
HEADERS = [("trace", b"\xff\x00"), ("trace", b"")]

FIX = """
import json, sys
line = json.loads(sys.stdin.readline())
if line["letter"]["reason"] == "unknown_store":
    sys.exit(0)
if "value" not in line:
    raise SystemExit("no JSON")
line["value"]["quantity"] = int(line["value"]["quantity"])
print(json.dumps(line))
"""


def added(number: int, at_ms: int, **members: Any) -> bytes:
    event = {"event_id": f"e{number}", "type": "added", "store_id": "acme", "occurred_at": at_ms}
    return json.dumps(
        {**event, "anonymous_id": f"d{number}", "product_id": "p", "quantity": 1, **members}
    ).encode()


async def send(
    shop: Installation, *values: bytes, topic: str = "cart", at_ms: int, key: bytes | None = None
) -> None:
    producer = AIOKafkaProducer(**shop.settings.kafka_client_options(), max_request_size=4_000_000)
    topics = shop.settings.topics
    place = topics.source(topic)
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(
                place, value, key=key or key_of(value, topics, place), timestamp_ms=at_ms, headers=HEADERS
            )
    finally:
        await producer.stop()


@pytest.fixture
async def shop(kafka: str, clickhouse: ClickHouseEndpoint, tmp_path: Path) -> AsyncIterator[Installation]:
    async with installation(kafka, clickhouse.url, tmp_path, STORES, partitions=2) as made:
        await made.worker()
        await made.sink()
        yield made


def server(shop: Installation) -> Server:
    return server_of(shop.settings)


def letters(shop: Installation, **wanted: Any) -> list[Letter]:
    return list(find(server(shop), Wanted(**wanted)))


def buckets(shop: Installation) -> dict[str, int]:
    client = shop.client()
    names = ("read", "accepted", "duplicate", "dead_letter", "too_late", "forwarded", "unaccounted")
    sums = ", ".join(f"sum(b.{name})" for name in names)
    (row,) = client.query(f"SELECT {sums} FROM buckets AS b WHERE topic != 'forwarded'").result_rows
    client.close()
    return dict(zip(names, row, strict=True))


async def test_mended_letters_count_once_on_their_own_day_and_the_rest_says_why_not(
    shop: Installation, tmp_path: Path
) -> None:
    now = time.time_ns() // 1_000_000
    then = now - 3 * HOUR_MS
    await send(shop, *(added(n, then, quantity=f"{n}") for n in range(1, 6)), at_ms=then)  # to be mended
    await send(shop, added(6, then, store_id="nobody"), b"\xff{", at_ms=then, key=b"acme|d6")
    await send(shop, added(7, now), at_ms=now)
    await shop.caught_up()
    assert buckets(shop) == {
        "read": 8, "accepted": 1, "duplicate": 0, "dead_letter": 7, "too_late": 0, "forwarded": 0, "unaccounted": 0,
    }  # fmt: skip
    assert totals(server(shop), Wanted()) == {"wrong_type": 5, "malformed_json": 1, "unknown_store": 1}

    # As they are, they would be refused again: nothing is sent.
    report = await replay(shop.settings, server(shop), STORES, Wanted())
    assert report.outcomes == {Outcome.REFUSED: 7}
    assert report.refused["wrong_type", "quantity"] == 5

    script = tmp_path / "mend.py"
    script.write_text(FIX)
    fix = [sys.executable, str(script)]
    with pytest.raises(
        FixFailed, match=r"ended with 1 on cart/\d/\d+; nothing of this batch was sent: no JSON"
    ):
        await replay(shop.settings, server(shop), STORES, Wanted(), fix=fix)
    assert buckets(shop)["read"] == 8

    wanted = Wanted(reasons=("wrong_type", "unknown_store"), topic="cart")
    dry = await replay(shop.settings, server(shop), STORES, wanted, fix=fix, dry_run=True)
    assert dry.outcomes == {Outcome.REPLAYED: 5, Outcome.LEFT: 1}
    for outcomes in ({Outcome.REPLAYED: 5, Outcome.LEFT: 1}, {Outcome.BEFORE: 5, Outcome.LEFT: 1}):
        report = await replay(shop.settings, server(shop), STORES, wanted, fix=fix)
        assert report.outcomes == outcomes
        await shop.caught_up()
        found = buckets(shop)
        assert (found["accepted"] + found["forwarded"], found["dead_letter"], found["unaccounted"]) == (
            6,
            7,
            0,
        )
    client = shop.client()
    windows = "SELECT toUnixTimestamp64Milli(window_start), sum(values[indexOf(measures, 'adds')])"
    by_window = client.query(
        f"{windows} FROM counters FINAL WHERE window_seconds = 900 GROUP BY 1 ORDER BY 1"
    ).result_rows
    assert [count for _, count in by_window] == [5, 1]
    assert by_window[0][0] == then - then % 900_000
    client.close()
    replayed = [one for one in newest(server(shop), Wanted(), 10) if one[1]]
    assert len(replayed) == 5

    (sent,) = [
        r for r in await read_topic(shop.settings, shop.settings.topics.source("cart")) if b'"e3"' in r.value
    ][1:]
    said = dict(sent.headers)
    assert sent.timestamp == then
    assert list(sent.headers)[:2] == HEADERS
    assert said["replay_of"] in {str(letter.place).encode() for letter in letters(shop)}


async def test_a_replay_of_what_was_accepted_meanwhile_is_a_duplicate_and_old_ones_stay(
    shop: Installation,
) -> None:
    now = time.time_ns() // 1_000_000
    old = now - 40 * HOUR_MS
    await send(shop, added(1, old), added(2, now), at_ms=now)
    await shop.caught_up()
    # The topics are at their ends, so that the watermark passes the old ones' lateness of a day.
    deadline = time.monotonic() + 60
    number = 10
    while not letters(shop, reasons=("too_late",)):
        assert time.monotonic() < deadline
        number += 1
        await send(shop, added(number, old), at_ms=now)
        await shop.caught_up()
    report = await replay(shop.settings, server(shop), STORES, Wanted())
    assert report.outcomes == {Outcome.TOO_OLD: len(letters(shop))}

    # The same event, sent again rightly by its storefront before somebody replays the mended letter.
    await send(shop, added(5, now, quantity="5"), added(5, now, quantity=5), at_ms=now, key=b"acme|d5")
    await shop.caught_up()
    (letter,) = letters(shop, reasons=("wrong_type",), store="acme")
    fix = [sys.executable, "-c", FIX]
    before = buckets(shop)
    report = await replay(shop.settings, server(shop), STORES, Wanted(reasons=("wrong_type",)), fix=fix)
    assert report.outcomes == {Outcome.REPLAYED: 1}
    await shop.caught_up()
    after = buckets(shop)
    assert after["duplicate"] == before["duplicate"] + 1
    assert after["accepted"] == before["accepted"]
    assert one(server(shop), letter.place) == letter


async def test_letters_are_written_as_lines_that_send_takes_back_byte_for_byte(shop: Installation) -> None:
    now = time.time_ns() // 1_000_000
    values = [
        b"",
        b"\x00\xff",
        b'{"a": 1,\n "b": 2}',
        "é".encode("utf-16"),
        b"x" * 300_000,
        added(1, now, quantity=0),
    ]
    await send(shop, *values, at_ms=now, key=b"\xfe|k")
    await shop.caught_up()
    found = letters(shop)
    assert sorted(letter.value for letter in found) == sorted(values)
    for letter in found:
        for readable in (False, True):
            line = as_line(letter, shop.settings.topics, readable=readable)
            assert line is not None
            assert b"\n" not in line
            back = parse_line(line, "f:1", shop.settings.topics)
            assert (back.key, back.value or b"", back.timestamp_ms) == (letter.key, letter.value, now)
            assert back.headers == tuple(HEADERS) == letter.own_headers
    assert [x.place for x in letters(shop, reasons=("too_large",))] == [
        x.place for x in found if len(x.value) > 9_999
    ]
    assert letters(shop, since_ms=now + HOUR_MS) == letters(shop, until_ms=now - HOUR_MS) == []
    assert letters(shop, topic="click") == letters(shop, store="nobody") == []


async def test_a_record_that_ends_the_worker_each_time_is_set_aside_by_hand(shop: Installation) -> None:
    worker = shop.members["worker-0"]
    now = time.time_ns() // 1_000_000
    await send(shop, added(1, now), at_ms=now, key=b"acme|d1")
    await shop.caught_up()
    (partition,) = {r.partition for r in await read_topic(shop.settings, shop.settings.topics.source("cart"))}
    # News that we never wrote: a fault that no rule of the contract foresees.
    producer = AIOKafkaProducer(**shop.settings.kafka_client_options())
    await producer.start()
    sent = await producer.send_and_wait(
        shop.settings.topics.source("forwarded"), b"junk", partition=partition
    )
    await producer.stop()
    place = Coordinates("forwarded", partition, sent.offset)
    await send(shop, added(2, now), at_ms=now, key=b"acme|d1")
    async with asyncio.timeout(60):
        while len(worker.unasked) < 2:
            await asyncio.sleep(0.1)
    assert set(worker.unasked) == {70}

    with pytest.raises(SkipRefused, match="no such record"):
        await skip(shop.settings, place._replace(offset=sent.offset + 1_000))
    with pytest.raises(SkipRefused, match="0 to 1"):
        await skip(shop.settings, place._replace(partition=2))
    assert await skip(shop.settings, place) is True
    assert await skip(shop.settings, place) is False
    await shop.caught_up()
    assert buckets(shop)["accepted"] == 2
    (letter,) = letters(shop)
    assert (letter.place, letter.reason, letter.value) == (place, "skipped", b"junk")
    with pytest.raises(SkipRefused, match="already"):
        await skip(shop.settings, place)
    report = await replay(shop.settings, server(shop), STORES, Wanted())
    assert report.outcomes == {Outcome.NO_EVENT: 1}
