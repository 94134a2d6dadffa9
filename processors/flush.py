"""The end of an epoch: what has changed becomes rows for ClickHouse and values of state."""

from collections.abc import Sequence
from typing import Final

import msgspec

from processors.counters import Cells, CounterKey, LedgerKey, counter_expiry, counter_row, ledger_row
from processors.definitions import Definitions
from processors.forwarding import OrderIndex
from processors.identity import Identity
from processors.journeys import Journeys, journey_row
from processors.notifications import Notifications, notification_row
from processors.orderbook import OrderBook
from processors.orders import deleted_order_row, order_row
from processors.people import People
from processors.person import Person
from processors.rate_book import RateBook
from processors.sessions import deleted_exposure_row, deleted_session_row, exposure_row, session_row
from processors.store_book import StoreBook
from schemas.epoch import NEVER, Epoch, Outgoing, Seen, Stored
from schemas.rows import LinkRow, WatermarkRow
from schemas.topics import DAY_MS

# Above twice the number of the last partition that settings allow.
VERSIONS_A_CLOCK: Final = 20_000


class Flush:
    """Collects one epoch. The steps are called in the order in which they stand here."""

    def __init__(self, partition: int, clock: int, watermark: int, floor: int) -> None:
        self._partition = partition
        self._clock = clock
        self._watermark = watermark
        self._floor = floor
        self._state: dict[bytes, Stored | None] = {}
        # By key: what is withdrawn and born again in one epoch is one row, the later.
        self._rows: dict[str, dict[bytes, bytes]] = {
            "sessions": {}, "exposures": {}, "orders": {}, "journeys": {}, "notifications": {}, "links": {},
            "definitions": {}, "counters": {}, "ledger": {},
        }  # fmt: skip
        self._seen: list[Seen] = []
        self._last: list[tuple[str, bytes, bytes]] = []

    def orders(self, orders: OrderBook, index: OrderIndex, people: People, rates: RateBook) -> None:
        """Settle sessions and credit, then write the orders that changed. Settling changes people, so it comes first."""
        for person in list(people.dirty.values()):
            orders.settle_sessions(person)
        orders.settle_credit()
        rows = self._rows["orders"]
        for key, tenant in orders.dirty.items():
            order = orders.get(key)
            is_ours = bool(order.entered[0])
            if not is_ours and not order.retired:
                continue  # another partition's, or a refund or cancel that came first: no row until the order is known
            # Two partitions may write the order in the same millisecond: each has versions of its own.
            version = self._clock * VERSIONS_A_CLOCK + 2 * self._partition
            if order.retired:
                # Under a key of its own: the row of another day must not compact it away.
                rows[_key((*key, order.retired))] = _encode(deleted_order_row(*key, order.retired, version))
                order.retired = 0
            if is_ours:
                assert order.first is not None
                order.born = order.written = order.born or _day(order.first.at)
                rows[_key(key)] = _encode(order_row(tenant, key[1], order, rates, version + 1))
        orders.write(self._state)
        rates.write(self._state)
        index.write(self._state)

    def people(self, people: People) -> None:
        """Write the people that changed: their sessions, exposures and state."""
        for person in people.dirty.values():
            self._sessions(person)
            people.write(person, self._state)
        people.dirty.clear()

    def _sessions(self, person: Person) -> None:
        tenant, name, clock = person.tenant, person.name, self._clock
        store_id, calendar = tenant.store_id, tenant.calendar
        sessions, exposures = self._rows["sessions"], self._rows["exposures"]
        # What is withdrawn goes under keys of its own, with the day: a session of the same name that is born on another
        # day must not compact it away before every sink has read it.
        for key, (born, shown) in person.withdrawn.items():
            if born:
                sessions[_key((store_id, name, key, born))] = _encode(
                    deleted_session_row(store_id, name, key, born, clock)
                )
                for widget in shown:
                    exposures[_key((store_id, name, key, widget, born))] = _encode(
                        deleted_exposure_row(store_id, name, key, widget, born, clock)
                    )
        for key, session in person.dirty_sessions.items():
            state = session.state
            if session.is_empty:
                if state.born:
                    sessions[_key((store_id, name, key, state.born))] = _encode(
                        deleted_session_row(store_id, name, key, state.born, clock)
                    )
                continue
            view = session.refresh()
            if not state.born:
                state.born = _day(view.start)
            # Born again on its day within the epoch: of two rows of one version, which would count?
            is_again = key in person.withdrawn
            if is_again:
                sessions.pop(_key((store_id, name, key, state.born)), None)
            sessions[_key((store_id, name, key))] = _encode(
                session_row(store_id, tenant.store, calendar, name, session, view, clock)
            )
            widgets = list(state.exposures) if session.head != view.head else list(session.widgets)
            for widget in widgets:
                if is_again:
                    exposures.pop(_key((store_id, name, key, widget, state.born)), None)
                exposures[_key((store_id, name, key, widget))] = _encode(
                    exposure_row(store_id, calendar, name, session, view, widget, clock)
                )

    def journeys(self, journeys: Journeys, notifications: Notifications) -> None:
        """Write the executions that changed, and the communications that were sent."""
        rows, partition, clock = self._rows["journeys"], self._partition, self._clock
        for key, tenant in journeys.dirty.items():
            known = journeys.get(key)
            if not known.born:
                known.born = _day(known.last)
            row = journey_row(key, known, tenant, partition, clock)
            rows[_key((*key, partition))] = _encode(row)
        journeys.write(self._state)
        rows = self._rows["notifications"]
        for sending, (tenant, event, at, is_there) in notifications.dirty.items():
            sent = notification_row(
                tenant, event, at, sending[2], is_there=is_there, born=_day(at), version=clock
            )
            rows[_key(sending)] = _encode(sent)
        notifications.dirty.clear()

    def stores(self, stores: StoreBook) -> None:
        """Remember the stores that are new."""
        stores.write(self._state)

    def definitions(self, definitions: Definitions) -> None:
        """Write the definitions that came."""
        rows = self._rows["definitions"]
        for row in definitions.write(self._state, self._clock):
            rows[_key((row.store_id, row.kind, row.id, row.effective_at))] = _encode(row)

    def identity(self, identity: Identity) -> None:
        """Write the journals, the links of devices, and from when on they are whose."""
        identity.write(self._state, self._clock)
        rows = self._rows["links"]
        for (store_id, device, at), customer in identity.turned.items():
            row = LinkRow(store_id, device, at, _day(at), customer or "", self._clock, int(customer is None))
            rows[_key((store_id, device, at))] = _encode(row)
        identity.turned.clear()

    def cells(self, counters: Cells[CounterKey], ledger: Cells[LedgerKey], retention_ms: int) -> None:
        """Write the windows and the ledger's hours that changed."""
        partition, clock = self._partition, self._clock
        rows = self._rows["counters"]
        for counter, cell in counters.write(self._state, lambda key: counter_expiry(key, retention_ms)):
            row = counter_row(counter, cell, partition, _day(counter[2]), clock)
            rows[_key((*counter, partition))] = _encode(row)
        rows = self._rows["ledger"]
        for hour, cell in ledger.write(self._state, lambda key: NEVER):
            ledger_line = ledger_row(hour, cell, partition, _day(hour[1]), clock)
            rows[_key((*hour, partition))] = _encode(ledger_line)

    def remember(self, digests: set[bytes], expires_day: int) -> None:
        """Keep the ids of the epoch's events for as long as a repeat could be in time."""
        if digests:
            self._seen.append(Seen(expires_day, b"".join(digests)))

    def watermark(self, *, idle: bool, record_time: int) -> None:
        """Say how far the partition is, after all other rows."""
        row = WatermarkRow(self._partition, 0, self._watermark, int(idle), record_time, self._clock, 0)
        self._last.append(("watermarks", _key((self._partition,)), _encode(row)))

    def epoch(self, meta: bytes, outgoing: Sequence[Outgoing], report: bytes | None) -> Epoch:
        """The whole."""
        return Epoch(
            meta=meta,
            state=self._state,
            seen=self._seen,
            rows={table: list(rows.items()) for table, rows in self._rows.items() if rows},
            outgoing=outgoing,
            expire_before_day=self._floor // DAY_MS,
            last_rows=self._last,
            report=report,
        )


def _day(instant_ms: int) -> int:
    """The UTC day of an instant, in days since 1970."""
    return instant_ms // DAY_MS


_encode: Final = msgspec.msgpack.Encoder().encode
_key: Final = msgspec.msgpack.Encoder().encode
