"""Letters as records and lines, judged and sent back, without a broker."""

import json
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy import replay as replaying
from deploy.cli.app import app
from deploy.cli.choosing import place_of
from deploy.cli.exits import CommandError, ExitCode
from deploy.dead_letters import Letter, Wanted, as_line
from deploy.fixing import mend
from deploy.query import Server
from deploy.replay import Judge, Outcome, Report, placed, replay
from deploy.send import parse_line
from processors.dead_letters import dead_letter
from processors.forwarding import forward_event
from processors.progress import Progress, fresh
from schemas.epoch import Headers, Record
from schemas.events.decode import decode_definition
from schemas.reasons import Reason, Rejected
from schemas.stores import Store
from schemas.topics import Topics
from sinks.dead_letters import dead_letter_row
from streams.interventions import Coordinates, Kind, Placed
from streams.settings import Settings

TOPICS = Topics()
STORES = {"acme": Store()}
AT = 1_767_300_000_000
OWN: Headers = (("trace", b"\xff\x00"), ("fwd_topic", b"the storefront's"))
ADDED = json.dumps(
    {
        "event_id": "e",
        "type": "added",
        "store_id": "acme",
        "occurred_at": AT,
        "anonymous_id": "d",
        "product_id": "p",
        "quantity": 1,
    }
).encode()


def letter_of(
    topic: str, record: Record, reason: Reason = Reason.UNKNOWN_STORE, partition: int = 1
) -> Letter:
    """As ClickHouse has it, through the worker's letter and the sink's row."""
    out = dead_letter(topic, partition, record, reason, "", "", AT)
    row = dead_letter_row(
        partition=partition, offset=9, timestamp=AT, key=out.key, value=out.value, headers=out.headers
    )
    place = Coordinates(row.topic, row.partition, row.offset)
    headers = tuple(zip(row.header_names, row.header_values, strict=True))
    return Letter(
        place,
        row.record_time,
        row.first_seen_at,
        row.reason,
        row.field,
        row.store_id,
        row.key,
        row.value,
        headers,
    )


def cart_letter(offset: int = 5, key: bytes | None = b"acme|d", headers: Headers = OWN) -> Letter:
    return letter_of("cart", Record(offset, AT, key, ADDED, headers))


def fixed(letter: Letter, code: str) -> Placed:
    program = f"import json, sys; line = json.loads(sys.stdin.readline()); {code}; print(json.dumps(line))"
    ((_, record),) = mend([sys.executable, "-c", program], [letter], TOPICS)
    return placed(letter, record, TOPICS)


# -- forwarded events ----------------------------------------------------------------------------------------------


def forwarded(topic: str, headers: Headers = OWN) -> Letter:
    progress = Progress(0, 2, fresh())
    progress.send([forward_event(topic, Record(5, AT, b"acme|d", ADDED, headers), 1)], AT)
    (sent,) = progress.seal(7)
    return letter_of("forwarded", Record(3, AT, sent.key, sent.value, sent.headers))


@pytest.mark.parametrize("topic", ["cart", "definition"])
def test_a_forwarded_event_goes_back_to_its_topic_with_its_own_headers_only(topic: str) -> None:
    letter = forwarded(topic)
    assert (letter.source, letter.own_headers) == (topic, OWN)
    line = as_line(letter, TOPICS)
    assert line is not None
    assert parse_line(line, "f:1", TOPICS).headers == OWN
    record = placed(letter, None, TOPICS)
    assert (record.topic, record.partition, record.key) == (f"shop.{topic}", None, b"acme|d")
    assert [name for name, _ in record.headers] == ["trace", "fwd_topic", "replay_of", "replay_at"]


@pytest.mark.parametrize("topic", ["", "forwarded", "nothing", "\xff"])
def test_a_forwarded_record_that_we_did_not_write_is_no_storefronts_event(topic: str) -> None:
    headers = (("fwd_from", b"x"), ("fwd_kind", b"event"), ("fwd_topic", topic.encode("latin-1")))
    for some in (headers, headers[:2], ()):
        letter = letter_of("forwarded", Record(3, AT, None, b"junk", some))
        assert (letter.source, as_line(letter, TOPICS)) == (None, None)
        assert letter.own_headers == some


# -- one run -------------------------------------------------------------------------------------------------------


class Refusing:
    """A desk behind which workers refuse everything again: each record is a new letter, behind all others."""

    def __init__(self, letters: Sequence[Letter]) -> None:
        self.letters = list(letters)
        self.sent: list[Placed] = []
        self.done: set[Coordinates] = set()

    def find(self, *_: Any) -> Iterator[Letter]:
        met = 0
        while met < min(len(self.letters), 20):
            yield self.letters[met]
            met += 1

    def is_done(self, _: Kind, place: Coordinates) -> bool:
        return place in self.done

    async def do(self, _: Kind, places: Sequence[Coordinates], records: Sequence[Placed]) -> None:
        self.done.update(places)
        self.sent += records
        for record in records:
            self.letters.append(cart_letter(100 + len(self.letters), record.key, tuple(record.headers)))

    @asynccontextmanager
    async def open(self, _: Settings) -> AsyncIterator["Refusing"]:
        yield self


async def run(monkeypatch: pytest.MonkeyPatch, desk: Refusing) -> Report:
    monkeypatch.setattr(replaying, "PAGE", 1)
    monkeypatch.setattr(replaying, "find", desk.find)
    monkeypatch.setattr(replaying, "open_desk", desk.open)
    monkeypatch.setattr(replaying, "watermarks", lambda _: {})
    return await replay(Settings(), Server("", "", "", ""), STORES, Wanted())


async def test_what_is_refused_again_is_not_sent_again_by_the_same_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Refusing([cart_letter(1), cart_letter(2)])
    report = await run(monkeypatch, desk)
    assert report.outcomes == {Outcome.REPLAYED: 2, Outcome.AGAIN: 2}
    assert len(desk.sent) == 2
    monkeypatch.setattr(replaying, "_now_ms", lambda: AT * 2)  # the next run may
    report = await run(monkeypatch, desk)
    assert report.outcomes == {Outcome.BEFORE: 2, Outcome.REPLAYED: 2, Outcome.AGAIN: 2}


@pytest.mark.parametrize("at", [b"", b"soon", b"9" * 18, b"9" * 5000])
async def test_a_storefronts_header_keeps_no_letter_from_replay(
    monkeypatch: pytest.MonkeyPatch, at: bytes
) -> None:
    report = await run(monkeypatch, Refusing([cart_letter(headers=(("replay_at", at),))]))
    assert report.outcomes == {Outcome.REPLAYED: 1, Outcome.AGAIN: 1}


# -- keys and null values ------------------------------------------------------------------------------------------


def test_a_mended_letter_stays_in_its_partition_unless_its_key_is_another() -> None:
    change = "line['value']['quantity'] = 2"
    for key in (None, b"acme|d"):
        record = fixed(cart_letter(key=key), change)
        assert (record.partition, record.key) == (1, key)
        record = fixed(cart_letter(key=key), "line['key'] = 'acme|other'")
        assert (record.partition, record.key) == (None, b"acme|other")


def test_a_refused_tombstone_goes_back_as_one_also_through_a_program() -> None:
    letter = letter_of("definition", Record(5, AT, b"acme|journey|j", None))
    assert placed(letter, None, TOPICS).value is None
    for readable in (False, True):
        line = as_line(letter, TOPICS, readable=readable)
        assert line is not None
        assert parse_line(line, "f:1", TOPICS).value is None
    assert fixed(letter, "line['headers'] = []").value is None
    assert fixed(letter_of("definition", Record(5, AT, b"k", b"{}")), "line['value'] = None").value is None


def test_a_tombstone_is_judged_by_its_key() -> None:
    judge = Judge(STORES, {}, 2)
    letter = letter_of("definition", Record(5, AT, b"acme|journey|j", None))
    assert judge.verdict("definition", placed(letter, None, TOPICS)) is None
    for key in (b"nobody|journey|j", b"acme", b"\xff", None):
        letter = letter_of("definition", Record(5, AT, key, None))
        assert judge.verdict("definition", placed(letter, None, TOPICS)) is not None, key


def test_what_was_sent_empty_deletes_no_definition() -> None:
    with pytest.raises(Rejected) as refused:
        decode_definition(b"", STORES)
    letter = letter_of("definition", Record(5, AT, b"acme|journey|j", b""), refused.value.reason)
    assert placed(letter, None, TOPICS).value == b""
    assert placed(letter_of("cart", Record(5, AT, b"k", None)), None, TOPICS).value == b""


# -- commands ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fix", ["jq '.x", " ", ""])
def test_a_program_that_is_none_is_a_usage_error(
    fix: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["dead-letters", "replay", "--fix", fix])
    assert result.exit_code == ExitCode.USAGE, result.exception
    assert len(result.stderr.splitlines()) == 1
    assert "--fix" in result.stderr


@pytest.mark.parametrize("topic", ["dead-letter", "shop.dead-letter"])
def test_a_foreign_records_place_is_one_to_show_and_none_to_skip(topic: str) -> None:
    assert place_of(f"{topic}/0/5", TOPICS, or_foreign=True) == Coordinates("dead-letter", 0, 5)
    with pytest.raises(CommandError):
        place_of(f"{topic}/0/5", TOPICS)
