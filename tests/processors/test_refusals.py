"""Dead letters of the pipeline: whose they are, what is set aside by hand, and when too many are refused at once."""

import json

import msgspec
import pytest

from processors.breaker import Bounds, Breaker, BreakerTripped
from processors.dead_letters import CUT, Skips, claimed_store
from processors.forwarding import KIND, TOPIC, Kind, forward_event
from processors.pipeline import Pipeline, make_factory
from processors.progress import FROM, Report
from schemas.epoch import Record
from schemas.stores import Store
from schemas.topics import MAX_RECORD_BYTES
from streams.engine.state.memory import MemoryStore

NOW = 1_767_262_860_000
STORES = {"acme": Store(), "tokyo": Store()}


def pipeline(*, breaker: Breaker | None = None, skips: Skips | None = None) -> Pipeline:
    made = make_factory(STORES, partitions=1, breaker=breaker, skips=skips)(0, MemoryStore(0), None)
    assert isinstance(made, Pipeline)
    made.observe(now_ms=NOW, idle=frozenset())
    return made


def click(offset: int, store: str = "acme", **members: object) -> Record:
    event = {"event_id": f"e{offset}", "type": "clicked", "store_id": store, "occurred_at": NOW}
    value = json.dumps({**event, "anonymous_id": "d", "product_id": "p", **members}).encode()
    return Record(offset, NOW, f"{store}|d".encode(), value)


def letters(made: Pipeline) -> list[dict[str, bytes]]:
    epoch = made.flush()
    assert epoch is not None
    return [dict(sent.headers) for sent in epoch.outgoing if sent.topic == "dead-letter"]


def test_a_record_set_aside_by_hand_is_never_read_and_its_neighbours_are() -> None:
    made = pipeline(skips={("click", 0): frozenset({1}), ("click", 1): frozenset({0})})
    made.process("click", [click(0), click(1), click(2)])
    assert made.counts() == {("click", "accepted", ""): 2, ("click", "dead_letter", "skipped"): 1}
    assert [(one["dlq_reason"], one["dlq_offset"], one["dlq_store"]) for one in letters(made)] == [
        (b"skipped", b"1", b"acme")
    ]


def test_news_can_be_set_aside_too() -> None:
    made = pipeline(skips={("forwarded", 0): frozenset({7})})
    with pytest.raises(KeyError):
        made.process("forwarded", [click(6)])  # no record of ours: it ends the worker each time
    made = pipeline(skips={("forwarded", 0): frozenset({6})})
    made.process("forwarded", [click(6)])
    assert letters(made)[0]["dlq_topic"] == b"forwarded"


def forwarded(offset: int, kind: Kind, stamp: bytes) -> Record:
    headers = ((FROM, stamp), (KIND, kind.encode()), (TOPIC, b"click"))
    return click(offset)._replace(headers=headers)


def test_what_no_sender_counted_is_set_aside_as_a_letter_and_no_record() -> None:
    made = pipeline(skips={("forwarded", 0): frozenset(range(5))})
    nameless = click(4)._replace(headers=((FROM, None), (KIND, None)))  # type: ignore[arg-type]
    records = [
        forwarded(0, Kind.EVENT, b"0:1:0:0"),
        forwarded(1, Kind.LINK, b"0:2:0:0"),
        forwarded(2, Kind.EVENT, b"whatever"),
        click(3),
        nameless,
    ]
    made.process("forwarded", records)
    assert made.counts() == {("forwarded", "dead_letter", "skipped"): 1}
    assert [one["dlq_field"] for one in letters(made)] == [b"", *4 * [KIND.encode()]]


@pytest.mark.parametrize("kind", [Kind.EVENT, Kind.LINK])
def test_a_forwarded_record_that_is_set_aside_is_receipted(kind: Kind) -> None:
    made = pipeline(skips={("forwarded", 0): frozenset({0})})
    made.process("forwarded", [forwarded(0, kind, b"1:7:0:0")])
    epoch = made.flush()
    assert epoch is not None
    assert epoch.report is not None
    assert msgspec.msgpack.decode(epoch.report, type=Report).received == {1: 7}


@pytest.mark.parametrize(
    ("key", "value", "store"),
    [
        (b"tokyo|d", b'{"store_id": "acme"}', "acme"),
        (b"acme|d", b"{", "acme"),
        (b"acme|d", b'{"store_id": 7}', "acme"),
        (b"acme|d", None, "acme"),
        (b"acme", b"{", ""),
        (None, b"\xff", ""),
        (None, b"[" * 10_000, ""),
        (b"x" * 70 + b"|d", b"{", ""),
        (None, b'{"store_id": "' + b"x" * 70 + b'"}', ""),
    ],
)
def test_the_store_a_broken_record_claims(key: bytes | None, value: bytes | None, store: str) -> None:
    assert claimed_store(Record(0, NOW, key, value)) == store


def test_a_letter_names_no_store_that_is_not_configured() -> None:
    made = pipeline()
    made.process("click", [click(0, "acme", product_id=7), click(1, "nobody")])
    assert [(one["dlq_reason"], one["dlq_store"]) for one in letters(made)] == [
        (b"wrong_type", b"acme"),
        (b"unknown_store", b""),
    ]


def test_a_deploy_that_refuses_everybody_ends_the_worker_before_anything_is_committed() -> None:
    made = pipeline(breaker=Breaker(Bounds(run_records=50)))
    bad = [click(n, "acme" if n % 2 else "tokyo", product_id=7) for n in range(100)]
    with pytest.raises(BreakerTripped, match="click: 100 dead letters in a row"):
        made.process("click", bad)
    made = pipeline(breaker=Breaker(Bounds(run_records=50)))
    made.process("click", [click(n, product_id=7) for n in range(10_000)])  # one storefront's mistake
    assert made.counts() == {("click", "dead_letter", "wrong_type"): 10_000}


def test_what_is_too_late_or_set_aside_does_not_count_against_a_deploy() -> None:
    skips = {("click", 0): frozenset(range(100))}
    made = pipeline(breaker=Breaker(Bounds(run_records=5)), skips=skips)
    made.process("click", [click(n, "acme" if n % 2 else "tokyo") for n in range(100)])
    assert made.counts() == {("click", "dead_letter", "skipped"): 100}


@pytest.mark.parametrize(
    "record",
    [
        Record(0, NOW, b"k", b"{" + bytes(9_000_000), (("trace", b"1"),)),
        Record(0, NOW, bytes(9_000_000), b"{", (("trace", b"1"),)),
        Record(0, NOW, b"k", b"{", tuple(("h" * 1_000, bytes(1_000)) for _ in range(9_000))),
        Record(0, NOW, bytes(9_000_000), bytes(9_000_000), (("trace", bytes(9_000_000)),)),
    ],
)
def test_what_no_record_could_hold_is_cut_with_its_size_told(record: Record) -> None:
    made = pipeline()
    made.process("click", [record])
    epoch = made.flush()
    assert epoch is not None
    (letter,) = [sent for sent in epoch.outgoing if sent.topic == "dead-letter"]
    size = sum(len(name.encode()) + len(value) for name, value in letter.headers)
    assert size + len(letter.key or b"") + len(letter.value or b"") < MAX_RECORD_BYTES - 100_000
    assert int(dict(letter.headers)[CUT]) >= 9_000_000
    assert (record.value or b"").startswith(letter.value or b"x")
    forwarded = forward_event("click", record._replace(value=b"{}"), 0)
    rest = sum(len(name.encode()) + len(value) for name, value in forwarded.headers)
    assert rest + len(forwarded.key or b"") < MAX_RECORD_BYTES / 4
