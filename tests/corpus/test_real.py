"""The whole corpus at once through the real broker, worker, sink and engine.

Every record ends in its bucket, every dead letter is the record byte for byte, and the events of the same people before
and behind each bad one count as if it had not been there.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from aiokafka import AIOKafkaProducer

from deploy.dead_letters import Letter, Wanted, find
from deploy.query import server_of
from schemas.partitioning import partition_of
from schemas.stores import Store
from streams.health import read_endpoint
from tests.corpus.all_kinds import KINDS
from tests.corpus.kind import ACCEPTED, DEAD, body, dead, fine
from tests.corpus.sending import APART, CANARY, Sent, of_kind
from tests.fixtures.clickhouse import ClickHouseEndpoint
from tests.kafka.pipeline_kit import Installation, installation

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse, pytest.mark.timeout(600)]

PARTITIONS = 2
STORES = {"acme": Store(), "tokyo": Store(currency="JPY")}
HOUR_MS = 3_600_000


def neighbour(number: int, who: str, now_ms: int) -> Sent:
    """A good click of the person whose bad record stands beside it."""
    click = fine("neighbour", "click", body("click", "clicked"))
    value = click.bytes_of(now_ms=now_ms, event_id=f"n{number}", who=who)
    return Sent("neighbour", "click", f"acme|{who}".encode(), value, (), (ACCEPTED, "", ""), now_ms)


def by_arrival(now_ms: int) -> Iterator[Sent]:
    """Kinds that are bad by when, where, or how often they come."""
    click = fine("click", "click", body("click", "clicked"))
    future = body("click", "clicked", occurred_at=str(now_ms + 600_001))
    number = 10_000

    def next_number() -> int:
        nonlocal number
        number += 1
        return number

    yield of_kind(
        dead("ten minutes and 1 ms ahead", "click", future, "in_future", "occurred_at"), next_number(), now_ms
    )
    almost = body("click", "clicked", occurred_at=str(now_ms + 600_000))
    yield of_kind(fine("ten minutes ahead", "click", almost), next_number(), now_ms)
    # A device whose clock is an hour ahead, and says so.
    skewed = body("click", "clicked", occurred_at=str(now_ms + HOUR_MS), sent_at=str(now_ms + HOUR_MS))
    yield of_kind(fine("a clock an hour ahead", "click", skewed), next_number(), now_ms)
    old = body("click", "clicked", occurred_at="946684800000", sent_at=str(now_ms + HOUR_MS))
    yield of_kind(dead("corrected into 1999", "click", old, "invalid_time", "sent_at"), next_number(), now_ms)

    again = of_kind(click, next_number(), now_ms)
    yield again
    yield again._replace(name="the same again", verdict=("duplicate", "", ""))
    other = (again.value or b"").replace(b'"p1"', b'"p2"')
    yield again._replace(name="the same id, another body", value=other, verdict=("duplicate", "", ""))
    yield again._replace(
        name="the same id in another store",
        value=(again.value or b"").replace(b"acme", b"tokyo"),
        key=(again.key or b"").replace(b"acme", b"tokyo"),
    )
    broken = of_kind(
        dead("a broken one", "click", body("click", "clicked", product_id="7"), "wrong_type", "product_id"),
        next_number(),
        now_ms,
    )
    yield broken
    # A dead letter does not occupy its id.
    yield broken._replace(
        name="its id, sent rightly",
        value=(broken.value or b"").replace(b'"product_id":7', b'"product_id":"7"'),
        verdict=(ACCEPTED, "", ""),
    )
    for name, key in (
        ("no key", None),
        ("a wrong key", b"acme|somebody"),
        ("a key of another store", b"tokyo|x"),
        ("an empty key", b""),
    ):
        sent = of_kind(fine(name, "click", click.value or b""), next_number(), now_ms)
        home = partition_of(sent.key or b"", PARTITIONS)
        yield sent._replace(key=key, partition=1 - home, verdict=("forwarded", "", ""))
    for name, headers in {
        "1,000 headers": tuple((f"h{n}", b"x") for n in range(1_000)),
        "a header that is no text": (("trace", b"\xff\xfe\x00"),),
        "our own header's name": (("dlq_reason", b"accepted"), ("fwd_kind", b"event")),
    }.items():
        yield of_kind(fine(name, "click", click.value or b""), next_number(), now_ms, headers=headers)
        kind = dead(f"broken, {name}", "click", b"{" + name.encode(), "malformed_json")
        yield of_kind(kind, next_number(), now_ms, headers=headers)
    # Compressed, they pass every bound of the broker.
    sent = of_kind(
        dead("12 MB of spaces", "cart", b"{" + b" " * 12_000_000, "too_large"), next_number(), now_ms
    )
    yield sent._replace(compressed=True)
    sent = of_kind(fine("headers of 5 MB", "click", click.value or b""), next_number(), now_ms)
    home = partition_of(sent.key or b"", PARTITIONS)
    huge = (("h", bytes(5_000_000)),)
    yield sent._replace(headers=huge, compressed=True, partition=1 - home, verdict=("forwarded", "", ""))
    yield of_kind(
        dead("broken, with headers of 5 MB", "click", b"{", "malformed_json"), next_number(), now_ms
    )._replace(headers=huge, compressed=True)


async def send(shop: Installation, records: list[Sent]) -> dict[tuple[str, int, int], Sent]:
    """All of them, in order. Returns where each lies."""
    placed: dict[tuple[str, int, int], Sent] = {}
    options = shop.settings.kafka_client_options()
    plain = AIOKafkaProducer(**options, max_request_size=20_000_000)
    packing = AIOKafkaProducer(**options, max_request_size=20_000_000, compression_type="gzip")
    async with plain, packing:
        for sent in records:
            producer = packing if sent.compressed else plain
            delivered = await producer.send_and_wait(
                shop.settings.topics.source(sent.topic),
                sent.value,
                key=sent.key,
                partition=sent.partition,
                timestamp_ms=sent.timestamp_ms,
                headers=list(sent.headers),
            )
            placed[sent.topic, delivered.partition, delivered.offset] = sent
    return placed


async def test_every_kind_of_the_corpus_through_the_real_parts(
    kafka: str, clickhouse: ClickHouseEndpoint, tmp_path: Path
) -> None:
    now_ms = time.time_ns() // 1_000_000
    records: list[Sent] = []
    for number, sent in enumerate(
        [*(of_kind(kind, number, now_ms) for number, kind in enumerate(KINDS)), *by_arrival(now_ms)]
    ):
        who = f"{CANARY}-of-{number}"
        if number % 3 == 0:
            records += [neighbour(2 * number, who, now_ms), sent, neighbour(2 * number + 1, who, now_ms)]
        else:
            records.append(sent)
    apart = [sent for sent in records if sent.headers or sent.name in APART]
    records = [sent for sent in records if not sent.headers and sent.name not in APART]
    async with installation(kafka, clickhouse.url, tmp_path, STORES, partitions=PARTITIONS) as shop:
        worker, _ = await shop.worker(), await shop.sink()
        placed = await send(shop, records)
        # Every cell is what an independent recomputation says: nothing is clamped, wrapped or NaN.
        await shop.exact()
        placed |= await send(shop, apart)
        await shop.caught_up()
        await _until_old_is_too_late(shop, now_ms)
        old = body("click", "clicked", occurred_at=str(now_ms - 40 * HOUR_MS))
        late = dead("40 hours old", "click", old, "too_late", "occurred_at")
        placed |= await send(shop, [of_kind(late, 20_000 + n, now_ms) for n in range(4)])
        await shop.caught_up()

        letters = {tuple(letter.place): letter for letter in find(server_of(shop.settings), Wanted())}
        assert _verdicts(placed, letters) == {}
        assert _buckets(shop) == Counter(_bucket(sent) for sent in placed.values())
        assert worker.unasked == []
        await _says_no_names(shop)


def _bucket(sent: Sent) -> str:
    return "too_late" if sent.verdict[1] == "too_late" else sent.verdict[0]


def _verdicts(
    placed: dict[tuple[str, int, int], Sent], letters: dict[tuple[object, ...], Letter]
) -> dict[str, object]:
    """Name -> what is wrong with its dead letter."""
    wrong: dict[str, object] = {}
    left = dict(letters)
    for place, sent in placed.items():
        letter = left.pop(place, None)
        if sent.verdict[0] != DEAD:
            if letter is not None:
                wrong[sent.name] = (letter.reason, letter.field)
        elif letter is None:
            wrong[sent.name] = "no dead letter"
        elif (letter.reason, letter.field) != sent.verdict[1:]:
            wrong[sent.name] = (letter.reason, letter.field)
        elif dict(letter.headers).get("dlq_cut") is not None:
            size = int(dict(letter.headers)["dlq_cut"])
            if not sent.compressed or size < 5_000_000 or not (sent.value or b"").startswith(letter.value):
                wrong[sent.name] = "cut, and not of what was sent"
        elif (letter.key, letter.value, letter.headers) != (sent.key or b"", sent.value or b"", sent.headers):
            wrong[sent.name] = "not byte for byte"
    return wrong | {str(place): "a dead letter of nothing" for place in left}


def _buckets(shop: Installation) -> Counter[str]:
    client = shop.client()
    names = ("accepted", "duplicate", "test_traffic", "dead_letter", "too_late", "forwarded")
    sums = ", ".join(f"sum({name})" for name in names)
    (row,) = client.query(f"SELECT {sums} FROM ledger FINAL WHERE topic != 'forwarded'").result_rows
    client.close()
    return +Counter(dict(zip(names, row, strict=True)))


async def _until_old_is_too_late(shop: Installation, now_ms: int) -> None:
    """Wait until every partition's topics are idle and its watermark has passed the oldest that is in time."""
    client = shop.client()
    async with asyncio.timeout(60):
        while True:
            (row,) = client.query(
                "SELECT count(), min(toUnixTimestamp64Milli(watermark)) FROM watermarks FINAL"
            ).result_rows
            if row[0] == PARTITIONS and row[1] > now_ms - HOUR_MS:
                break
            await asyncio.sleep(0.2)
    client.close()


async def _says_no_names(shop: Installation) -> None:
    """No log line and no metric names a person."""
    assert CANARY in str((await shop.sources())[0])  # it could be found
    for member in shop.members.values():
        assert CANARY not in member.log.read_text()
    async with aiohttp.ClientSession() as session:
        for role in ("worker", "sink"):
            endpoint = read_endpoint(shop.settings.data_dir, role)
            assert endpoint is not None
            async with session.get(f"{endpoint.url}/metrics") as answer:
                text = await answer.text()
            assert CANARY not in text
            assert len([line for line in text.splitlines() if not line.startswith("#")]) <= 2_000
