"""Definitions: the later one of an instant stands, one of the future waits, a tombstone takes all away."""

import json
import random
from typing import Any

import pytest

from tests.driver import PipelineDriver
from tests.oracle.records import RawRecord
from tests.oracle.wire import partition_of
from tests.processors.kit import HOUR, START, STORES, table

THINGS = (("acme", "experience", "e|1"), ("acme", "ab_test", "t1"), ("beta", "goal", "e|1"))


def key_of(thing: tuple[str, str, str]) -> bytes:
    return "|".join(thing).encode()


def defined(thing: tuple[str, str, str], effective_at: int, status: str | None, **fields: Any) -> RawRecord:
    store_id, kind, id_ = thing
    value = {"store_id": store_id, "kind": kind, "id": id_, "status": status, "effective_at": effective_at}
    return raw(key_of(thing), json.dumps({**value, **fields}).encode())


def raw(key: bytes | None, value: bytes | None) -> RawRecord:
    return RawRecord("definition", 0, 0, START, key, value)


def statuses(driver: PipelineDriver) -> dict[tuple[Any, ...], tuple[str, str]]:
    return {key: (row["status"], row["name"]) for key, row in table(driver, "definitions").items()}


@pytest.mark.parametrize("seed", range(150))
def test_what_stands_is_what_the_topic_says_last(seed: int) -> None:
    chance = random.Random(seed)
    records, stands = [], dict[tuple[Any, ...], tuple[str, str]]()
    for _ in range(chance.randint(1, 30)):
        thing = chance.choice(THINGS)
        if chance.random() < 0.15:
            records.append(raw(key_of(thing), None))
            stands = {key: said for key, said in stands.items() if key[:3] != thing}
        else:
            at, status = START + chance.randint(0, 3) * HOUR, chance.choice(("active", "running", "ended"))
            name = chance.choice((None, "Änne"))
            records.append(defined(thing, at, status, name=name))
            stands[(*thing, at)] = status, name or ""
    partitions = chance.choice((1, 3))
    driver = PipelineDriver(STORES, partitions=partitions)
    # Another partitioner puts each thing somewhere else, but always at the same place.
    crooked = {key_of(thing): chance.randrange(partitions) for thing in THINGS}
    is_crooked = chance.random() < 0.5
    for record in records:
        assert record.key is not None
        to = crooked[record.key] if is_crooked else None
        driver.pipe([record], chunk=chance.randint(1, 4), commit=chance.random() < 0.5, to=to)
        if chance.random() < 0.2:
            driver.crash()
    driver.commit()
    assert statuses(driver) == stands
    books = driver.ledger()
    assert books["accepted"] == len(records)
    wrong = sum(
        is_crooked and crooked[one.key or b""] != partition_of(one.key or b"", partitions) for one in records
    )
    assert (books["read"], books["forwarded"]) == (len(records) + wrong, wrong)


def test_the_pipeline_keeps_both_the_present_and_the_coming_status() -> None:
    driver = PipelineDriver(STORES)
    thing = THINGS[0]
    driver.pipe([defined(thing, START, "active"), defined(thing, START + 1000 * HOUR, "ended")])
    assert statuses(driver) == {
        (*thing, START): ("active", ""),
        (*thing, START + 1000 * HOUR): ("ended", ""),
    }


def test_a_definition_is_neither_late_nor_early_and_moves_no_watermark() -> None:
    driver = PipelineDriver(STORES)
    driver.pipe([defined(THINGS[0], at, "active") for at in (946_684_800_000, 4_000_000_000_000)])
    assert len(statuses(driver)) == 2
    assert {row.watermark for row in driver.written("watermarks")} == {0}
    # Else the topics with event times would wait for a topic that has none.
    assert driver._partitions[0].pipeline.topic_times() == {}
    assert not driver.dead_letters


NO_DEFINITION = (
    (b"{", None, "malformed_json", ""),
    (b"[]", None, "not_an_object", ""),
    (b'{"kind":"goal"}', None, "missing_field", "store_id"),
    (b'{"store_id":"nope","kind":"goal","id":"g","effective_at":0}', None, "unknown_store", "store_id"),
    (b'{"store_id":"acme","kind":"game","id":"g","effective_at":0}', None, "invalid_value", "kind"),
    (
        b'{"store_id":"acme","kind":"journey","id":"g","effective_at":1767225600000}',
        None,
        "missing_field",
        "status",
    ),
    (b'{"store_id":"acme","kind":"goal","id":"g","effective_at":1}', None, "invalid_time", "effective_at"),
    (None, None, "missing_field", "key"),
    (None, b"acme|goal", "invalid_value", "key"),
    (None, b"acme|game|g", "invalid_value", "key"),
    (None, b"acme|goal|", "invalid_value", "key"),
    (None, b"acme|goal|" + b"g" * 129, "invalid_value", "key"),
    (None, b"acme|goal|\xff", "invalid_value", "key"),
    (None, b"nope|goal|g", "unknown_store", "key"),
)


@pytest.mark.parametrize(("value", "key", "reason", "field"), NO_DEFINITION)
def test_what_is_no_definition_is_a_dead_letter_with_its_reason(
    value: bytes | None, key: bytes | None, reason: str, field: str
) -> None:
    driver = PipelineDriver(STORES)
    driver.pipe([raw(key, value)])
    (letter,) = driver.dead_letters
    headers = dict(letter.headers)
    assert (headers["dlq_reason"], headers["dlq_field"]) == (reason.encode(), field.encode())
    assert headers["dlq_topic"] == b"definition"
    assert driver.ledger()["dead_letter"] == driver.ledger()["read"] == 1
    assert driver._partitions[0].pipeline.counts() == {("definition", "dead_letter", reason): 1}
    assert not statuses(driver)
