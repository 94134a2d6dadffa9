"""One partition, from records to rows: decode, judge, count; and at the end of an epoch, apply, settle and write.

A record ends in exactly one bucket. What the rows say is a function of the set of accepted events: neither their order,
nor repeats, nor where an epoch was cut or a worker died, changes them.
"""

from collections.abc import Iterator, Mapping, Sequence
from operator import length_hint
from typing import Any, Final

import msgspec

from processors import orderbook
from processors.books import Books
from processors.breaker import Breaker
from processors.browsing import HANDLERS
from processors.counters import ACCEPTED, DUPLICATE, HOUR_MS, READ, TEST_TRAFFIC
from processors.counters import FORWARDED as FORWARDED_BUCKET
from processors.dead_letters import Refusals, Skips
from processors.definitions import Definitions
from processors.flush import Flush
from processors.forwarding import KIND, Change, Kind, forward_event, read_headers, readable
from processors.person import Tenant
from processors.progress import Progress
from processors.resume import META_FORMAT, Meta, resume
from processors.shop import Shop
from processors.store_book import StoreBook
from schemas.epoch import Epoch, Outgoing, ProcessorFactory, SourceRecord, StateReader
from schemas.events.decode import decode
from schemas.events.order import OrderCaptured
from schemas.events.person import person_key
from schemas.instants import EARLIEST_MS, FUTURE_TOLERANCE_MS, SKEW_TOLERANCE_MS
from schemas.partitioning import partition_of
from schemas.rates import NO_RATES, Rates
from schemas.reasons import Reason, Rejected
from schemas.stores import Store
from schemas.topics import DAY_MS, DEFINITION, FORWARDED, FUTURE_BOUND_MS, SOURCES

HOMES_IN_MEMORY: Final = 4_000  # of those who are about now


def make_factory(
    stores: Mapping[str, Store],
    *,
    partitions: int,
    rates: Rates = NO_RATES,
    breaker: Breaker | None = None,
    skips: Skips | None = None,
) -> ProcessorFactory:
    """The processors of all partitions, for these stores. `partitions`: how many every input topic has."""
    tenants = {store_id: Tenant(store_id, store, rates) for store_id, store in stores.items()}

    def make(partition: int, state: StateReader, meta: bytes | None) -> "Pipeline":
        refusals = Refusals(partition, stores, breaker, skips)
        return Pipeline(partition, state, meta, refusals, tenants=tenants, partitions=partitions)

    return make


_Judged = tuple[bytes, Any, str, SourceRecord, int, list[int]]
"""Digest of its id, event (`occurred_at` is its event time now), who it is about, record, the watermark it was judged by,
tally to count it in."""


class Pipeline:
    """The state machine of one partition; satisfies `schemas.epoch.PartitionProcessor`."""

    def __init__(
        self,
        partition: int,
        state: StateReader,
        meta: bytes | None,
        refusals: Refusals,
        *,
        tenants: Mapping[str, Tenant],
        partitions: int,
    ) -> None:
        self.partition = partition
        self._partitions = partitions
        self._refusals = refusals
        self._state = state
        self._tenants = tenants
        self._stores = {store_id: tenant.store for store_id, tenant in tenants.items()}
        self._retention_days = max(tenant.retention for tenant in tenants.values()) // DAY_MS + 2
        resumed = resume(meta)
        self._known_stores = StoreBook(state, tenants)
        self._clock, self.watermark = resumed.clock, resumed.watermark
        self._times, self._record_time = resumed.times, resumed.record_time
        self._now = 0
        self._idle: frozenset[str] = frozenset()
        self._progress = Progress(partition, partitions, resumed.progress)
        self._shop = Shop(
            partition,
            partitions,
            state,
            tenants,
            self._progress,
            watermark=self.watermark,
            floor=self._floor(),
        )
        self._definitions = Definitions(partition, partitions, state, self._stores)
        self._books = Books(state)
        self._seen: set[bytes] = set()
        self._outgoing: list[Outgoing] = []
        self._latest = max(self._times.values(), default=0)  # of all that was accepted, forwarded or not
        self._homes: dict[str, int] = {}
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

    def hear(self, partition: int, report: bytes) -> None:
        """See PartitionProcessor."""
        self._progress.hear(partition, report)

    def _floor(self) -> int:
        return self._progress.settle_floor(self.watermark, has_times=bool(self._times), now_ms=self._now)

    def topic_times(self) -> Mapping[str, int]:
        """See PartitionProcessor."""
        return self._times

    # -- records ---------------------------------------------------------------------------------------------------

    def process(self, topic: str, records: Sequence[SourceRecord]) -> None:
        """See PartitionProcessor."""
        reading = iter(records)
        try:
            good = self._judge(topic, reading)
        except Exception as error:
            # Whoever reads the line must know which record to skip.
            error.add_note(f"offset {records[-1 - length_hint(reading)].offset}")
            raise
        # One question for the whole chunk: a question for each event costs a tenth of its way.
        known = self._state.seen_among([one[0] for one in good])
        shop = self._shop
        seen, waiting, count = self._seen, shop.waiting.by_person, shop.windows.add
        is_forwarded = topic == FORWARDED
        for digest, event, who, record, bound, tally in good:
            if digest in seen or digest in known:
                tally[DUPLICATE] += 1
                continue
            seen.add(digest)
            tally[ACCEPTED] += 1
            kind = event.__class__
            if kind in HANDLERS or kind is OrderCaptured:
                theirs = waiting.get(who)
                if theirs is None:
                    waiting[who] = [event]
                else:
                    theirs.append(event)
                if is_forwarded:
                    shop.waiting.bind(who, bound)
            elif kind in _OF_ORDERS:
                change = Change(event.store_id, event.order_id, record.timestamp, record.value or b"")
                shop.change(change, bound)
            else:
                shop.follow(event, who, bound)
            count(event, event.occurred_at, record.timestamp)
        self._books.enter(topic)
        self._taken += len(records)
        self._refusals.end_chunk(topic, len(records))
        shop.waiting.events += len(good)

    def _judge(self, topic: str, records: Iterator[SourceRecord]) -> list[_Judged]:
        """Decode, and tell apart what can't be counted, is not in time, or belongs elsewhere. The rest is returned."""
        tenants, stores, homes, partition = self._tenants, self._stores, self._homes, self.partition
        watermark, latest, record_time = self.watermark, self._times.get(topic, 0), self._record_time
        source, is_first_arrival = topic, topic != FORWARDED
        progress, bound = self._progress, watermark
        hour, tally, newest = -1, self._books.open(-1), self._latest
        good: list[_Judged] = []
        by_hand = self._refusals.by_hand(topic)
        for record in records:
            timestamp = record.timestamp
            if (
                by_hand is not None and record.offset in by_hand
            ):  # unread: to read it may be what ends the worker
                self._set_aside(topic, record)
                continue
            if not is_first_arrival:
                forwarded = read_headers(record.headers)
                bound = progress.taken(forwarded.stamp)
                if forwarded.kind is not Kind.EVENT:
                    self._shop.hear(forwarded.kind, record.value or b"", bound)
                    continue
                source = forwarded.topic
            if timestamp // HOUR_MS != hour:
                hour = timestamp // HOUR_MS
                tally = self._books.open(hour)
            tally[READ] += 1
            if source == DEFINITION:
                self._define(topic, record, tally)
                continue
            if timestamp > record_time:
                record_time = timestamp
            try:
                event: Any = decode(source, record.value, stores)
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
                if at > timestamp + FUTURE_TOLERANCE_MS and is_first_arrival:
                    self._reject(topic, record, Reason.IN_FUTURE, "occurred_at", tally, event.store_id)
                    continue
            store_id = event.store_id
            tenant = tenants[store_id]
            # Who it is about: in state a customer and a device of the same id are two people, on the wire one key.
            kind: type = event.__class__
            if kind in _OF_ORDERS:
                who = f"{store_id}|order:{event.order_id}"
            elif event.customer_id is not None:
                who = f"{store_id}|c:{event.customer_id}"
            else:
                who = f"{store_id}|a:{event.anonymous_id}"
            home = homes.get(who)
            if home is None:
                home = self._find_home(who, event)
            if is_first_arrival:
                # Lateness is judged once, here: another partition may be further along.
                if at < watermark - tenant.lateness:
                    self._reject(topic, record, Reason.TOO_LATE, "occurred_at", tally, store_id)
                    continue
                if at > latest:
                    latest = at
                if home != partition:
                    tally[FORWARDED_BUCKET] += 1
                    progress.send([forward_event(topic, record, home)], bound)
                    continue
            if at > newest:
                newest = at
            event.occurred_at = at
            digest = tenant.id_hash()
            digest.update(event.event_id.encode())
            good.append((digest.digest(), event, who, record, bound, tally))
        if is_first_arrival and topic != DEFINITION:
            self._times[topic] = latest
        self._record_time = record_time
        self._latest = newest
        return good

    def _find_home(self, who: str, event: Any) -> int:
        if len(self._homes) > HOMES_IN_MEMORY:
            self._homes.clear()
        home = self._homes[who] = partition_of(person_key(event).encode(), self._partitions)
        return home

    def _define(self, topic: str, record: SourceRecord, tally: list[int]) -> None:
        """A record of the definition topic, or one that another partition forwarded."""
        try:
            misrouted = self._definitions.take(record, tally, is_first_arrival=topic == DEFINITION)
        except Rejected as rejected:
            self._reject(topic, record, rejected.reason, rejected.field, tally)
            return
        if misrouted is not None:
            self._progress.send([misrouted], self.watermark)

    # -- buckets ---------------------------------------------------------------------------------------------------

    def _set_aside(self, topic: str, record: SourceRecord) -> None:
        """A record that somebody skips: a dead letter, but in the ledger only if it is a record of the ledger."""
        aside, field = self._books.open(record.timestamp // HOUR_MS), ""
        forwarded = readable(record.headers) if topic == FORWARDED else None
        if forwarded is not None:
            self._progress.passed(forwarded.stamp)
        if topic != FORWARDED or (forwarded is not None and forwarded.kind is Kind.EVENT):
            aside[READ] += 1
        else:
            # News, or none of ours: no sender counted it as forwarded, and counted as read here it would be one
            # too many in that account for ever. A tally without a READ is not entered, and this field keeps the
            # letter out of the account of letters.
            field = KIND
        self._reject(topic, record, Reason.SKIPPED, field, aside)

    def _reject(
        self,
        topic: str,
        record: SourceRecord,
        reason: Reason,
        field: str,
        tally: list[int],
        store_id: str = "",
    ) -> None:
        letter = self._refusals.letter(topic, record, reason, field, tally, store_id, self._now)
        self._outgoing.append(letter)

    # -- epochs ----------------------------------------------------------------------------------------------------

    @property
    def pending(self) -> int:
        """See PartitionProcessor."""
        small = len(self._books.ledger.dirty) + 2 * len(self._definitions.dirty)
        return self._shop.pending + 150 * small + 600 * (len(self._outgoing) + self._progress.pending)

    def flush(self) -> Epoch | None:
        """See PartitionProcessor."""
        told = (self.watermark, self._idle.issuperset(SOURCES))
        idle, progress = told[1], self._progress
        if (
            not self._taken
            and told == self._told
            and not self._shop.has_due
            and not progress.has_news(self.watermark, idle=idle, now_ms=self._now)
        ):
            return None
        self._clock = max(self._clock + 1, self._now, progress.clock + 1)
        shop = self._shop
        flush = Flush(self.partition, self._clock, self.watermark, shop.people.floor)
        shop.live(flush, self._clock)
        flush.stores(self._known_stores)
        flush.definitions(self._definitions)
        flush.cells(shop.windows.cells, self._books.ledger, max(t.retention for t in self._tenants.values()))
        flush.remember(self._seen, self._latest // DAY_MS + self._retention_days)
        flush.watermark(idle=idle, record_time=self._record_time)
        outgoing = self._outgoing + progress.seal(self._clock)
        report = progress.report(self.watermark, idle=idle, now_ms=self._now)
        floor = self._floor()
        meta = Meta(META_FORMAT, self._clock, self.watermark, self._times, self._record_time, progress.saved)
        epoch = flush.epoch(_encode(meta), outgoing, report)
        self._seen, self._outgoing, self._taken, self._told = set(), [], 0, told
        shop.end(self.watermark, floor)
        return epoch

    def counts(self) -> Mapping[tuple[str, str, str], int]:
        """See PartitionProcessor."""
        return self._books.counts()

    def gauges(self) -> Mapping[str, float]:
        """See PartitionProcessor."""
        return {
            "watermark_ms": self.watermark,
            "floor_ms": self._shop.people.floor,
            "cached_people": len(self._shop.people),
        }


# Cancels and refunds belong to their order, whoever they name (decisions H51).
_OF_ORDERS: Final = orderbook.CHANGES
_encode: Final = msgspec.msgpack.Encoder().encode
