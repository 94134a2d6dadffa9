"""Is all exact? The tables against a recomputation of what lies in the source topics, and the books against both."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from schemas.rows import DeadLetterRow, LedgerRow
from schemas.stores import Store
from schemas.topics import FORWARDED
from tests.kafka.campaign.visible import Visible
from tests.oracle.events import read_event
from tests.oracle.identity import links_of
from tests.oracle.recompute import recompute
from tests.oracle.records import OracleResult, Origin, RawRecord, RowKey, counter_row
from tests.worlds import compare

HOUR_MS = 3_600_000
BUCKETS = ("accepted", "duplicate", "test_traffic", "dead_letter", "too_late", "forwarded")
# Of the oracle's: so many events are in memory at once.
RECORDS_A_PART = 2_000


def differences(records: Sequence[RawRecord], stores: Mapping[str, Store], visible: Visible) -> list[str]:
    """Everything that is not as it must be, a line each; empty when all is exact.

    Rows cell by cell, dead letters byte for byte, the ledger by topic, partition and hour. What was too late only the
    arrival can tell: each such record must at least have been behind its partition by more than the allowed lateness.
    """
    late = too_late_of(visible)
    oracle = recompute_in_parts(records, stores, too_late=late)
    found = [
        f"row: {difference} (tables left, oracle right)" for difference in compare(visible.rows, oracle.rows)
    ]
    found += [f"row: {double} has several" for double in visible.doubles]
    found += of_links(oracle, visible)
    found += of_dead_letters(records, oracle, visible.dead_letters)
    found += _of_ledger(records, oracle, visible.ledger)
    found += _of_lateness(records, stores, late)
    return found


def too_late_of(visible: Visible) -> set[Origin]:
    """The records that were called too late."""
    return {
        (row.topic, row.partition, row.offset) for row in visible.dead_letters if row.reason == "too_late"
    }


def recompute_in_parts(
    records: Sequence[RawRecord], stores: Mapping[str, Store], *, too_late: Collection[Origin] = ()
) -> OracleResult:
    """The oracle over independent parts: records that share a person, an order or an event id stay together."""
    whole = OracleResult()
    windows: defaultdict[RowKey, Counter[str]] = defaultdict(Counter)
    late = set(too_late)
    for part in _parts(records):
        here = [record.origin for record in part if record.origin in late]
        result = recompute(part, stores, too_late=here)
        whole.verdicts.update(result.verdicts)
        whole.accepted += result.accepted
        for table, rows in result.rows.items():
            if table == "counters":
                for key, row in rows.items():
                    windows[key].update(dict(zip(row.measures, row.values, strict=True)))
                continue
            assert not rows.keys() & whole.rows[table].keys(), f"{table}: two parts made one row"
            whole.rows[table].update(rows)
    for key, counted in windows.items():
        whole.rows["counters"][key] = counter_row(key, dict(sorted(counted.items())))
    return whole


def _parts(records: Sequence[RawRecord]) -> Iterator[list[RawRecord]]:
    leader: dict[Any, Any] = {}

    def find(name: Any) -> Any:
        while leader.setdefault(name, name) != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    named = [(record, _names(record)) for record in records]
    for _, names in named:
        for name in names[1:]:
            leader[find(name)] = find(names[0])
    together: defaultdict[Any, list[RawRecord]] = defaultdict(list)
    for record, names in named:
        together[find(names[0])].append(record)
    part: list[RawRecord] = []
    for group in together.values():
        part += group
        if len(part) >= RECORDS_A_PART:
            yield part
            part = []
    if part:
        yield part


def _names(record: RawRecord) -> list[Any]:
    """What ties a record to others; a record that can't be read is tied to none."""
    names: list[Any] = []
    with suppress(ValueError, RecursionError):
        value = json.loads(record.value or b"")
        if isinstance(value, dict):
            store = repr(value.get("store_id"))
            fields = ("customer_id", "anonymous_id", "order_id", "event_id")
            names = [(store, field, repr(value[field])) for field in fields if value.get(field) is not None]
    return names or [record.origin]


def of_links(oracle: OracleResult, visible: Visible) -> list[str]:
    """From when on each device was whose, as the tables say it and as the oracle does."""
    turns = set()
    for (store_id, device), links in links_of(oracle.accepted).items():
        for number, link in enumerate(links):
            if not number or links[number - 1].customer_id != link.customer_id:
                turns.add((store_id, device, link.at, link.customer_id))
    shown = {(row.store_id, row.anonymous_id, row.linked_at, row.customer_id) for row in visible.links}
    return [f"link: {link} is only in the tables" for link in shown - turns] + [
        f"link: {link} is not in the tables" for link in turns - shown
    ]


def of_dead_letters(
    records: Sequence[RawRecord], oracle: OracleResult, letters: Sequence[DeadLetterRow]
) -> list[str]:
    """Dead letters of these records, byte for byte; there must be no others."""
    found = []
    by_origin = {(row.topic, row.partition, row.offset): row for row in letters}
    if len(by_origin) != len(letters):
        found.append(f"dead letters: {len(letters)} rows for {len(by_origin)} origins")
    for record in records:
        verdict = oracle.verdicts[record.origin]
        letter = by_origin.pop(record.origin, None)
        if verdict.bucket not in ("dead_letter", "too_late"):
            if letter is not None:
                found.append(f"dead letter {record.origin}: {letter.reason}, but it is {verdict.bucket}")
            continue
        if letter is None:
            found.append(f"dead letter {record.origin}: missing, the oracle says {verdict}")
            continue
        reason = verdict.reason, verdict.field if verdict.bucket == "dead_letter" else letter.field
        expected: tuple[object, ...] = (
            *reason,
            record.key or b"",
            record.value or b"",
            max(record.timestamp, 0),
            [],
            [],
        )
        actual = (
            *(letter.reason, letter.field, letter.key, letter.value),
            *(letter.record_time, letter.header_names, letter.header_values),
        )
        if actual != expected:
            found.append(f"dead letter {record.origin}: is {actual!r}, not {expected!r}")
    return found + [f"dead letter {origin}: there is no such record" for origin in by_origin]


def books_of(ledger: Sequence[LedgerRow]) -> tuple[dict[Any, dict[str, int]], list[str]]:
    """(topic, partition, hour) -> read and buckets; and where a row does not add up in itself."""
    found = []
    books: dict[Any, dict[str, int]] = {}
    for row in ledger:
        buckets = {name: getattr(row, name) for name in BUCKETS}
        if row.read != sum(buckets.values()):
            found.append(f"ledger: read is not the sum of the buckets: {row}")
        if sum(row.reason_counts) != row.dead_letter:
            found.append(f"ledger: the reasons do not add up to the dead letters: {row}")
        books[row.topic, row.partition, row.hour] = {"read": row.read, **buckets}
    return books, found


def hour_of(record: RawRecord) -> int:
    """Of the record's own time, in ms."""
    return max(record.timestamp, 0) // HOUR_MS * HOUR_MS


def _of_ledger(records: Sequence[RawRecord], oracle: OracleResult, ledger: Sequence[LedgerRow]) -> list[str]:
    books, found = books_of(ledger)
    must_be: defaultdict[Any, Counter[str]] = defaultdict(Counter)
    for record in records:
        must_be[record.topic, record.partition, hour_of(record)].update(
            ("read", oracle.verdicts[record.origin].bucket)
        )
    for key in sorted({*must_be, *(key for key in books if key[0] != FORWARDED)}):
        book, must = books.get(key, {}), must_be[key]
        # What is forwarded is accepted or a repeat where it lands.
        sure = ("read", "test_traffic", "dead_letter", "too_late")
        one, other = {name: book.get(name, 0) for name in sure}, {name: must[name] for name in sure}
        if one != other:
            found.append(f"ledger {key}: is {one}, not {other}")
    totals = {name: sum(book[name] for book in books.values()) for name in ("read", *BUCKETS)}
    verdicts = Counter(verdict.bucket for verdict in oracle.verdicts.values())
    for name in ("accepted", "duplicate"):
        if totals.get(name, 0) != verdicts[name]:
            found.append(f"ledger: {name} is {totals.get(name, 0)}, not {verdicts[name]}")
    landed = sum(book["read"] for key, book in books.items() if key[0] == FORWARDED)
    if landed != totals.get("forwarded", 0):
        found.append(f"ledger: {totals['forwarded']} were forwarded, but {landed} landed")
    if totals.get("read", 0) != len(records) + landed:
        found.append(f"ledger: read is {totals.get('read', 0)}, not {len(records)} + {landed} forwarded ones")
    return found


def _of_lateness(
    records: Sequence[RawRecord], stores: Mapping[str, Store], late: Collection[Origin]
) -> list[str]:
    """Too late by right? The watermark never passes the largest event time of the partition."""
    if not late:
        return []
    partitions = {partition for _, partition, _ in late}
    newest: Counter[int] = Counter()
    times: dict[Origin, tuple[int, str]] = {}
    for record in records:
        if record.partition not in partitions:
            continue
        timestamp = None if record.timestamp < 0 else record.timestamp
        with suppress(Exception):
            event = read_event(record.topic, record.value, timestamp, stores)
            if not event.is_test:
                newest[record.partition] = max(newest[record.partition], event.at)
                times[record.origin] = event.at, event.store_id
    found = []
    for origin in sorted(late):
        at, store_id = times[origin]
        bound = newest[origin[1]] - stores[store_id].allowed_lateness_ms
        if at >= bound:
            found.append(f"too late {origin}: event time {at} is not before {bound}")
    return found


def summary(visible: Visible) -> dict[str, int]:
    """How much there is: rows by table, and the buckets of the ledger."""
    rows = {table: len(found) for table, found in visible.rows.items()}
    buckets = {name: sum(getattr(row, name) for row in visible.ledger) for name in ("read", *BUCKETS)}
    return {**rows, "links": len(visible.links), "dead_letters": len(visible.dead_letters), **buckets}


def as_json(value: Any) -> bytes:
    """Indented, for a result that people read too."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
