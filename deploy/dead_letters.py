"""Dead letters as ClickHouse keeps them: found by reason, topic, store and time, written as lines for `send`."""

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from deploy.query import Server, rows
from processors.forwarding import read_headers
from schemas.reasons import Reason
from schemas.topics import DEFINITION, FORWARDED, INPUTS, SOURCES, Topics
from streams.interventions import Coordinates

PAGE: Final = 100
"""Letters asked for at a time: each may be a quarter of a megabyte, and one that was cut two or three."""
# Stamp, kind and topic: what `read_headers` reads, before a forwarded event's own.
_FORWARDING_HEADERS: Final = 3
_NO_TIME: Final = "0"
_END_OF_TIME: Final = "4102444800000"  # 2100

_MATCHING: Final = """\
FROM dead_letters FINAL
WHERE ({reasons:String} = '' OR has(splitByChar(',', {reasons:String}), reason))
  AND ({topic:String} = '' OR topic = {topic:String})
  AND ({store:String} = '' OR store_id = {store:String})
  AND toUnixTimestamp64Milli(first_seen_at) >= {since:Int64} AND toUnixTimestamp64Milli(first_seen_at) < {until:Int64}
"""
_COLUMNS: Final = """\
    topic, partition, offset, toUnixTimestamp64Milli(record_time), toUnixTimestamp64Milli(first_seen_at),
    reason, field, store_id, base64Encode(key), base64Encode(value), header_names,
    arrayMap(x -> base64Encode(x), header_values)
"""


class Wanted(NamedTuple):
    """Which letters. Empty: all. Times are those at which a worker refused the record, epoch ms, `until` exclusive."""

    reasons: tuple[str, ...] = ()
    topic: str = ""
    """Short name."""
    store: str = ""
    since_ms: int | None = None
    until_ms: int | None = None

    def params(self) -> dict[str, str]:
        """Bound to the queries below."""
        return {
            "reasons": ",".join(self.reasons),
            "topic": self.topic,
            "store": self.store,
            "since": _NO_TIME if self.since_ms is None else str(self.since_ms),
            "until": _END_OF_TIME if self.until_ms is None else str(self.until_ms),
        }


class Letter(NamedTuple):
    """One dead letter. An empty key stands for none too: the table tells them not apart."""

    place: Coordinates
    record_time: int
    first_seen_at: int
    reason: str
    field: str
    store_id: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]

    @property
    def source(self) -> str | None:
        """Short name of the topic its event was sent to; None when no storefront sent it (news between partitions)."""
        return _origin(self)[0]

    @property
    def own_headers(self) -> tuple[tuple[str, bytes], ...]:
        """The headers that the storefront gave it."""
        return _origin(self)[1]

    @property
    def sent_value(self) -> bytes | None:
        """The value as its storefront sent it: None for a tombstone, which the table keeps as an empty value."""
        # Only an empty value is malformed, a null never is: sent back as null it would delete a definition.
        if self.value or self.source != DEFINITION or self.reason == Reason.MALFORMED_JSON:
            return self.value
        return None


def _origin(letter: Letter) -> tuple[str | None, tuple[tuple[str, bytes], ...]]:
    if letter.place.topic != FORWARDED:
        return letter.place.topic if letter.place.topic in INPUTS else None, letter.headers
    try:
        topic = read_headers(letter.headers).topic
    except (LookupError, ValueError):
        # A record that we did not write, set aside by hand: one such must not end the replay of all others.
        topic = ""
    if topic in SOURCES or topic == DEFINITION:
        return topic, letter.headers[_FORWARDING_HEADERS:]
    return None, letter.headers


def find(server: Server, wanted: Wanted) -> Iterator[Letter]:
    """All of them by coordinates, page by page. Raises QueryRefused, Unreachable."""
    after = ("", "0", "0")
    while True:
        sql = (
            f"SELECT {_COLUMNS} {_MATCHING} AND (topic, partition, offset) > "
            "({after_topic:String}, {after_partition:UInt16}, {after_offset:UInt64}) "
            f"ORDER BY topic, partition, offset LIMIT {PAGE}"
        )
        names = ("after_topic", "after_partition", "after_offset")
        page = rows(server, sql, **wanted.params(), **dict(zip(names, after, strict=True)))
        yield from map(_letter, page)
        if len(page) < PAGE:
            return
        topic, partition, offset = page[-1][:3]
        after = (topic, str(partition), str(offset))


def newest(server: Server, wanted: Wanted, limit: int) -> list[tuple[Letter, int | None]]:
    """The letters refused last, with the time (ms) of their replay. Values are left out. Raises as `find`."""
    columns = _COLUMNS.replace("base64Encode(value)", "''")
    sql = (
        f"SELECT letters.*, replayed_at FROM (SELECT {columns.strip()} {_MATCHING} "
        f"ORDER BY first_seen_at DESC, topic, partition, offset DESC LIMIT {int(limit)}) AS letters "
        "LEFT JOIN (SELECT topic, partition, offset, toUnixTimestamp64Milli(done_at) AS replayed_at "
        "FROM interventions FINAL WHERE kind = 'replay') AS replays USING (topic, partition, offset) "
        "ORDER BY 5 DESC, topic, partition, offset DESC"
    )
    return [(_letter(row), row[12] or None) for row in rows(server, sql, **wanted.params())]


def totals(server: Server, wanted: Wanted) -> dict[str, int]:
    """Reason -> letters, the most frequent first. Raises as `find`."""
    found = rows(
        server, f"SELECT reason, count() {_MATCHING} GROUP BY reason ORDER BY 2 DESC, 1", **wanted.params()
    )
    return {reason: int(count) for reason, count in found}


def one(server: Server, place: Coordinates) -> Letter | None:
    """The letter of this record, None if there is none. Raises as `find`."""
    found = rows(
        server,
        f"SELECT {_COLUMNS} FROM dead_letters FINAL WHERE topic = {{topic:String}} "
        "AND partition = {partition:UInt16} AND offset = {offset:UInt64}",
        topic=place.topic,
        partition=str(place.partition),
        offset=str(place.offset),
    )
    return _letter(found[0]) if found else None


def watermarks(server: Server) -> dict[int, int]:
    """Partition -> its visible watermark, epoch ms. Raises as `find`."""
    return dict(rows(server, "SELECT partition, toUnixTimestamp64Milli(watermark) FROM watermarks FINAL"))


def _letter(row: list[Any]) -> Letter:
    topic, partition, offset, record_time, seen, reason, field, store_id, key, value, names, values, *_ = row
    headers = zip(names, map(base64.b64decode, values), strict=True)
    return Letter(
        Coordinates(topic, partition, offset),
        record_time,
        seen,
        reason,
        field,
        store_id,
        base64.b64decode(key),
        base64.b64decode(value),
        tuple(headers),
    )


def as_line(letter: Letter, topics: Topics, *, readable: bool = False) -> bytes | None:
    """The letter as a line for `send`; None if no storefront sent it. `readable`: JSON as `value`, not in base64."""
    if letter.source is None:
        return None
    line: dict[str, Any] = {"topic": topics.source(letter.source)}
    try:
        line["key"] = letter.key.decode()
    except UnicodeDecodeError:
        line["key_base64"] = _base64(letter.key)
    line["timestamp"] = letter.record_time
    if letter.own_headers:
        line["headers"] = [[name, _base64(value)] for name, value in letter.own_headers]
    line["letter"] = described(letter)
    if letter.sent_value is None:
        line["value"] = None
        return json.dumps(line, ensure_ascii=False).encode()
    text = json.dumps(line, ensure_ascii=False)
    if readable and _is_json_line(letter.value):
        # As it was sent, digit by digit: a number read and written again could be another.
        return text[:-1].encode() + b', "value": ' + letter.value.strip() + b"}"
    return text[:-1].encode() + f', "value_base64": "{_base64(letter.value)}"}}'.encode()


def described(letter: Letter) -> Mapping[str, Any]:
    """What the letter was refused for, and where it lies."""
    return {
        "place": str(letter.place),
        "reason": letter.reason,
        "field": letter.field,
        "store": letter.store_id,
        "first_seen": letter.first_seen_at,
    }


def _is_json_line(value: bytes) -> bool:
    try:
        return b"\n" not in value and b"\r" not in value and isinstance(json.loads(value.decode()), dict)
    except (ValueError, RecursionError):
        return False


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
