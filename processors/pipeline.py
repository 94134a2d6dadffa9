"""One partition, from records to rows: decode, judge, count, apply; and at the end of an epoch, settle and write.

A record ends in exactly one bucket. What the rows say is a function of the set of accepted events: neither their order,
nor repeats, nor where an epoch was cut or a worker died, changes them.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

import msgspec
from msgspec import Struct

from processors import browsing, orderbook
from processors.browsing import Browsing
from processors.counters import (
    ACCEPTED,
    BUCKETS,
    DEAD_LETTER,
    DUPLICATE,
    HOUR_MS,
    INDEX,
    LEDGER_NAMES,
    LIVE_WINDOW_MS,
    READ,
    REASON_INDEX,
    TEST_TRAFFIC,
    TOO_LATE,
    WINDOW_MS,
    Cells,
    CounterKey,
    LedgerKey,
)
from processors.flush import Flush
from processors.orderbook import OrderBook
from processors.people import People, Tenant
from schemas.epoch import Epoch, Outgoing, ProcessorFactory, SourceRecord, StateReader
from schemas.events.browsing import CartAdded, ProductsShown
from schemas.events.decode import decode
from schemas.events.session import MessageExchanged
from schemas.events.types import WIRE_TYPES
from schemas.instants import EARLIEST_MS, FUTURE_TOLERANCE_MS, SKEW_TOLERANCE_MS
from schemas.measures import (
    LIVE_HORIZON_MS,
    LIVE_WINDOW_SECONDS,
    MEASURE_OF,
    MEASURES,
    MESSAGES_OUT,
    PRODUCTS_SHOWN,
    UNITS_ADDED,
    WINDOW_SECONDS,
)
from schemas.reasons import Reason, Rejected
from schemas.stores import Store, fingerprint
from schemas.topics import DAY_MS, FUTURE_BOUND_MS, SOURCES

PEOPLE_IN_MEMORY: Final = 2_000  # a generation of them, a partition
ORDERS_IN_MEMORY: Final = 2_000
META_FORMAT: Final = 1


class Meta(Struct, array_like=True):
    """The resume point, stored with each epoch: version clock, watermark, largest event time by topic."""

    format: int
    clock: int
    watermark: int
    times: dict[str, int]
    record_time: int
    stores: str


class StoresChanged(Exception):
    """The stores' settings are not those the state was built with: old numbers would move."""


def make_factory(stores: Mapping[str, Store]) -> ProcessorFactory:
    """The processors of all partitions, for these stores."""
    tenants = {store_id: Tenant(store_id, store) for store_id, store in stores.items()}
    mark = fingerprint(stores)

    def make(partition: int, state: StateReader, meta: bytes | None) -> "Pipeline":
        return Pipeline(partition, state, meta, tenants, mark)

    return make


class Pipeline:
    """The state machine of one partition; satisfies `schemas.epoch.PartitionProcessor`."""

    def __init__(
        self, partition: int, state: StateReader, meta: bytes | None, tenants: Mapping[str, Tenant], mark: str
    ) -> None:
        self.partition = partition
        self._state = state
        self._tenants = tenants
        self._stores = {store_id: tenant.store for store_id, tenant in tenants.items()}
        self._retention_days = max(tenant.retention for tenant in tenants.values()) // DAY_MS + 2
        self._mark = mark
        resumed = _resume(meta, mark)
        self._clock, self.watermark = resumed.clock, resumed.watermark
        self._times, self._record_time = resumed.times, resumed.record_time
        self._now = 0
        self._idle: frozenset[str] = frozenset()
        self._people = People(state, PEOPLE_IN_MEMORY)
        self._people.floor = self.watermark
        self._orders = OrderBook(state, self._people, ORDERS_IN_MEMORY)
        self._browsing = Browsing(self._people, self._orders)
        self._counters: Cells[CounterKey] = Cells(b"C", MEASURES, state)
        self._ledger: Cells[LedgerKey] = Cells(b"L", LEDGER_NAMES, state)
        self._seen: set[bytes] = set()
        self._outgoing: list[Outgoing] = []
        self._counts: dict[tuple[str, str, str], int] = {}
        self._window_key: CounterKey | None = None
        self._window: list[int] = []
        self._taken = 0
        self._told = (-1, False)  # watermark and idleness, as last written

    # -- time ------------------------------------------------------------------------------------------------------

    def observe(self, *, now_ms: int, idle: frozenset[str]) -> None:
        """See PartitionProcessor. Moves the watermark: the least, over topics with input left, of their largest times."""
        self._now, self._idle = now_ms, idle
        times = self._times
        waiting = [times.get(topic, 0) for topic in SOURCES if topic not in idle]
        reached = min(waiting) if waiting else max(times.values(), default=0)
        # One wild clock must not expire the world.
        self.watermark = max(self.watermark, min(reached, now_ms + FUTURE_BOUND_MS))

    def topic_times(self) -> Mapping[str, int]:
        """See PartitionProcessor."""
        return self._times

    # -- records ---------------------------------------------------------------------------------------------------

    def process(self, topic: str, records: Sequence[SourceRecord]) -> None:
        """See PartitionProcessor."""
        tenants, stores, seen, has_seen = self._tenants, self._stores, self._seen, self._state.has_seen
        watermark, latest, record_time = self.watermark, self._times.get(topic, 0), self._record_time
        hour = -1
        tally = [0] * len(LEDGER_NAMES)
        for record in records:
            timestamp = record.timestamp
            if timestamp // HOUR_MS != hour:
                self._enter(topic, hour, tally)
                tally = [0] * len(LEDGER_NAMES)
                hour = timestamp // HOUR_MS
            if timestamp > record_time:
                record_time = timestamp
            tally[READ] += 1
            try:
                event: Any = decode(topic, record.value, stores)
            except Rejected as rejected:
                self._reject(topic, record, rejected.reason, rejected.field, tally)
                continue
            if event.is_test:
                tally[TEST_TRAFFIC] += 1
                continue
            # The two rules of schemas.events.clock, in line: this is the hot path.
            at = event.occurred_at
            if timestamp >= 0:
                if event.sent_at is not None:
                    skew = timestamp - event.sent_at
                    if skew > SKEW_TOLERANCE_MS or skew < -SKEW_TOLERANCE_MS:
                        at += skew
                        if at < EARLIEST_MS:  # a time that ClickHouse would wrap
                            self._reject(topic, record, Reason.INVALID_TIME, "sent_at", tally, event.store_id)
                            continue
                if at > timestamp + FUTURE_TOLERANCE_MS:
                    self._reject(topic, record, Reason.IN_FUTURE, "occurred_at", tally, event.store_id)
                    continue
            tenant = tenants[event.store_id]
            if at < watermark - tenant.lateness:
                self._reject(topic, record, Reason.TOO_LATE, "occurred_at", tally, event.store_id)
                continue
            digest = blake2b(f"{event.store_id}|{event.event_id}".encode(), digest_size=16).digest()
            if digest in seen or has_seen(digest):
                tally[DUPLICATE] += 1
                continue
            seen.add(digest)
            tally[ACCEPTED] += 1
            if at > latest:
                latest = at
            self._apply(event, at, tenant)
            self._add_up(event, at, timestamp)
        self._enter(topic, hour, tally)
        self._times[topic] = latest
        self._record_time = record_time
        self._taken += len(records)

    def _apply(self, event: Any, at: int, tenant: Tenant) -> None:
        kind = event.__class__
        if event.customer_id is not None:
            name = "c:" + event.customer_id
        elif event.anonymous_id is not None:
            name = "a:" + event.anonymous_id
        else:
            name = ""
        handle = browsing.HANDLERS.get(kind)
        if handle is not None:
            person = self._people.get(tenant, name)
            self._people.dirty[person.key] = person
            handle(self._browsing, event, at, person)
            return
        settle = orderbook.HANDLERS.get(kind)
        if settle is not None:
            who = self._people.get(tenant, name) if name else None
            settle(self._orders, event, at, tenant, who)

    def _add_up(self, event: Any, at: int, timestamp: int) -> None:
        """Count the event in its windows."""
        kind = event.__class__
        index = _INDEX_OF[kind]
        extra, amount = 0, 0
        if kind is ProductsShown:
            extra, amount = _PRODUCTS_SHOWN, len(event.products)
        elif kind is CartAdded:
            extra, amount = _UNITS_ADDED, event.quantity
        elif kind is MessageExchanged and event.direction == "out":
            index = _MESSAGES_OUT
        key = (event.store_id, WINDOW_SECONDS, at - at % WINDOW_MS, event.channel)
        cell = self._window if key == self._window_key else self._open_window(key)
        cell[index] += 1
        if amount:
            cell[extra] += amount
        if at >= timestamp - LIVE_HORIZON_MS:
            key = (event.store_id, LIVE_WINDOW_SECONDS, at - at % LIVE_WINDOW_MS, event.channel)
            cell = self._counters.cell(key)
            cell[index] += 1
            if amount:
                cell[extra] += amount

    def _open_window(self, key: CounterKey) -> list[int]:
        """The cell of a window, remembered: the next event is likely to be in the same."""
        self._window_key = key
        self._window = self._counters.cell(key)
        return self._window

    def _reject(
        self,
        topic: str,
        record: SourceRecord,
        reason: Reason,
        field: str,
        tally: list[int],
        store_id: str = "",
    ) -> None:
        if reason is Reason.TOO_LATE:
            tally[TOO_LATE] += 1
        else:
            tally[DEAD_LETTER] += 1
            tally[REASON_INDEX[reason.value]] += 1
        self._outgoing.append(dead_letter(topic, self.partition, record, reason, field, store_id, self._now))

    def _enter(self, topic: str, hour: int, tally: list[int]) -> None:
        """Put a run of records into the ledger and the telemetry."""
        if not tally[READ]:
            return
        cell = self._ledger.cell((topic, max(hour, 0) * HOUR_MS))
        for index, value in enumerate(tally):
            if value:
                cell[index] += value
                if index in _COUNTED:
                    key = (topic, *_COUNTED[index])
                    self._counts[key] = self._counts.get(key, 0) + value

    # -- epochs ----------------------------------------------------------------------------------------------------

    @property
    def pending(self) -> int:
        """See PartitionProcessor. A person's state and rows are about a kilobyte."""
        people, orders = len(self._people.dirty), len(self._orders.dirty)
        cells = len(self._counters.dirty) + len(self._ledger.dirty)
        return 1_500 * people + 700 * orders + 150 * cells + 16 * len(self._seen) + 600 * len(self._outgoing)

    def flush(self) -> Epoch | None:
        """See PartitionProcessor."""
        told = (self.watermark, self._idle.issuperset(SOURCES))
        if not self._taken and told == self._told:
            return None
        self._clock = max(self._clock + 1, self._now)
        flush = Flush(self.partition, self._clock, self.watermark)
        flush.orders(self._orders, self._people)
        flush.people(self._people)
        flush.cells(self._counters, self._ledger, max(t.retention for t in self._tenants.values()))
        latest = max(self._times.values(), default=0)
        flush.remember(self._seen, latest // DAY_MS + self._retention_days)
        flush.watermark(idle=told[1], record_time=self._record_time)
        meta = Meta(META_FORMAT, self._clock, self.watermark, self._times, self._record_time, self._mark)
        epoch = flush.epoch(_encode(meta), self._outgoing)
        self._seen, self._outgoing, self._taken, self._told = set(), [], 0, told
        self._window_key = None  # its cell would not be marked as changed in the next epoch
        self._people.trim(self.watermark)
        self._orders.trim()
        return epoch

    def counts(self) -> Mapping[tuple[str, str, str], int]:
        """See PartitionProcessor."""
        counts, self._counts = self._counts, {}
        return counts

    def gauges(self) -> Mapping[str, float]:
        """See PartitionProcessor."""
        return {"watermark_ms": self.watermark, "cached_people": len(self._people)}


def _resume(meta: bytes | None, mark: str) -> Meta:
    if meta is None:
        return Meta(META_FORMAT, 0, 0, {}, 0, mark)
    resumed = msgspec.msgpack.decode(meta, type=Meta)
    if resumed.format != META_FORMAT:
        raise StoresChanged(f"state of format {resumed.format}; this Shopmeter reads format {META_FORMAT}")
    if resumed.stores != mark:
        raise StoresChanged(
            "the stores' zones, currencies, windows or time-outs are not those this state was built with; "
            "put stores.toml back, or start with a new `application` name to compute everything again"
        )
    return resumed


def dead_letter(
    topic: str, partition: int, record: SourceRecord, reason: Reason, field: str, store_id: str, now_ms: int
) -> Outgoing:
    """The record as it came, with reason and origin in headers before its own."""
    headers = (
        ("dlq_reason", reason.value.encode()),
        ("dlq_field", field.encode()),
        ("dlq_topic", topic.encode()),
        ("dlq_partition", b"%d" % partition),
        ("dlq_offset", b"%d" % record.offset),
        ("dlq_first_seen", b"%d" % now_ms),
        ("dlq_store", store_id.encode()),
        *record.headers,
    )
    timestamp = record.timestamp if record.timestamp >= 0 else None
    return Outgoing("dead-letter", record.key, record.value, timestamp, headers)


_COUNTED: Final = {
    ACCEPTED: (BUCKETS[ACCEPTED], ""),
    DUPLICATE: (BUCKETS[DUPLICATE], ""),
    TEST_TRAFFIC: (BUCKETS[TEST_TRAFFIC], ""),
    TOO_LATE: (BUCKETS[TOO_LATE], Reason.TOO_LATE.value),
    **{index: (BUCKETS[DEAD_LETTER], reason) for reason, index in REASON_INDEX.items()},
}


def _types() -> dict[type, int]:
    """Event struct -> position of its measure."""
    found = {}
    for (topic, tag), measure in MEASURE_OF.items():
        wire = WIRE_TYPES[topic]
        for struct in getattr(wire, "__args__", (wire,)):
            if tag in (struct.__struct_config__.tag, "shown" if struct is ProductsShown else None):
                found[struct] = INDEX[measure]
    return found


_INDEX_OF: Final = _types()
_PRODUCTS_SHOWN: Final = INDEX[PRODUCTS_SHOWN]
_UNITS_ADDED: Final = INDEX[UNITS_ADDED]
_MESSAGES_OUT: Final = INDEX[MESSAGES_OUT]
_encode: Final = msgspec.msgpack.Encoder().encode
