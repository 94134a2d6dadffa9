"""Whose an event is when it names only a device (decisions H20 to H25), worked out where the device is at home.

The device's partition has its links and its journal. An event of a device without links is the device's own. With links,
an event may be a customer's: it moves to the customer's partition, and if a link comes late, it moves again: taken back
there, given to somebody else. Who owned an event before an epoch is what the links said then, so nobody has to remember
it. Everything happens at the end of the epoch, so that it happens once for each device.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from processors.forwarding import Link, Move, Shared
from processors.journal import Journal, parts
from processors.keeping import event_of, keep
from processors.links import Device, Devices, Linked, Timeline
from processors.notifications import Notifications
from processors.people import People
from processors.person import Person, Tenant
from processors.taking_back import TakingBack
from processors.waiting import Waiting
from schemas.epoch import Stored
from schemas.events.journey import NotificationSent
from schemas.partitioning import partition_of
from schemas.topics import DAY_MS

Parcel = tuple[int, Link | Shared | Move, int]
"""Partition, news, and the oldest watermark that what it comes of was judged by."""


class _Moving:
    """What an epoch moves to and from one customer."""

    def __init__(self, bound: int) -> None:
        self.gone: list[Any] = []
        self.come: list[Any] = []
        self.bound = bound


class Identity:
    """The devices and customers of one partition. Call its steps in the order in which they stand here."""

    def __init__(
        self,
        partition: int,
        partitions: int,
        tenants: Mapping[str, Tenant],
        people: People,
        devices: Devices,
        journal: Journal,
        taking_back: TakingBack,
        notifications: Notifications,
    ) -> None:
        self._partition = partition
        self._partitions = partitions
        self._tenants = tenants
        self._people = people
        self._devices = devices
        self._journal = journal
        self._taking_back = taking_back
        self._notifications = notifications
        self._notices: dict[tuple[str, str, str], tuple[Link, int]] = {}
        self._links: list[tuple[Link, int]] = []
        self.turned: dict[tuple[str, str, int], str | None] = {}
        """(store, device, from when on) -> customer, None: not any more. What the rows of links say newly."""

    # -- 1. what our customers tell of their devices ---------------------------------------------------------------

    def linked(self, person: Person, links: Iterable[tuple[str, int]], bound: int) -> None:
        """Events of our customer have both ids: (device, event time) of each."""
        changed = False
        for device, at in links:
            known = person.linked.get(device)
            if known is not None and not known.is_shared and at >= known.first:
                # The hot path: an app sends both ids with every event.
                recent = known.recent
                if not recent or recent[-1] != at:
                    recent.append(at)
                    changed = True
                continue
            changed = True
            if known is None:
                person.linked[device] = Linked(at, [at], False, [])
            else:
                known.first = min(known.first, at)
                if not known.is_shared:
                    known.recent.append(at)
            self._notice(person, device, [at], bound, is_first=known is None)
        if changed:
            person.changed = True
            self._people.dirty[person.key] = person

    def shared(self, news: Shared, bound: int) -> None:
        """A device of our customer has others too."""
        person = self._people.find(self._tenants[news.store_id], "c:" + news.customer)
        linked = person.linked.get(news.device)
        if linked is None or linked.is_shared:
            return  # what we remembered has expired, and with it everything that could matter; or it was told before
        self._notice(person, news.device, self._people.links_of(person, linked), bound)
        # Runs that were put aside expire by themselves.
        linked.recent, linked.aside, linked.is_shared = [], [], True
        person.changed = True
        self._people.dirty[person.key] = person

    def _notice(
        self, person: Person, device: str, times: list[int], bound: int, *, is_first: bool = False
    ) -> None:
        key = person.tenant.store_id, device, person.name[2:]
        held = self._notices.get(key)
        if held is None:
            self._notices[key] = Link(*key, list(times), is_first), bound
        else:
            held[0].times.extend(times)
            held[0].is_first |= is_first
            self._notices[key] = held[0], min(held[1], bound)

    # -- 2. what our devices hear of it, and give to whom -----------------------------------------------------------

    def hear_link(self, news: Link, bound: int) -> None:
        """A customer's partition tells of a device of ours."""
        self._links.append((news, bound))

    def settle(self, waiting: Waiting) -> Iterator[Parcel]:
        """Give every event of our devices to whom it belongs; what is not the device's own is taken out of `waiting`.

        Yields what concerns customers, of this partition too.
        """
        before: dict[str, tuple[Device, int]] = {}
        # To say that a device is shared may bring more links of it, of customers who live here.
        while self._notices or self._links:
            for (store_id, device, _), (link, bound) in self._notices.items():
                home = self._home(store_id, device)
                if home == self._partition:
                    self._links.append((link, bound))
                else:
                    yield home, link, bound
            self._notices = {}
            links, self._links = self._links, []
            for link, bound in links:
                for home, shared in self._link(link, bound, before):
                    if home == self._partition:
                        self.shared(shared, bound)
                    else:
                        yield home, shared, bound
        moving: dict[tuple[str, str], _Moving] = {}
        for who, (was, bound) in before.items():
            self._turn_over(self._devices.get(who), was, bound, moving)
        for who in [who for who, events in waiting.by_person.items() if _is_device(who, events)]:
            self._give(self._devices.get(who), waiting, moving)
        yield from self._moves(moving)

    def _link(
        self, link: Link, bound: int, before: dict[str, tuple[Device, int]]
    ) -> list[tuple[int, Shared]]:
        """Note links of a device. Returns who must know that it is shared."""
        tenant = self._tenants[link.store_id]
        who = f"{link.store_id}|a:{link.device}"
        device = self._devices.get(who)
        was, oldest = before.get(who, (Device(who, device.state), bound))
        before[who] = was, min(bound, oldest)
        customers = {*device.state.links, link.customer}
        floor = self._people.floor
        device.link(link.customer, link.times, floor - tenant.lateness, floor - tenant.journal)
        self._devices.changed(device)
        if not device.state.is_shared:
            return []
        told = device.state.told
        if link.is_first and link.customer in told:
            told.remove(link.customer)  # they have forgotten
        unaware = sorted(customers - set(told))
        told += unaware
        return [
            (self._home(link.store_id, customer), Shared(link.store_id, link.device, customer))
            for customer in unaware
        ]

    def _turn_over(
        self, device: Device, was: Device, bound: int, moving: dict[tuple[str, str], _Moving]
    ) -> None:
        """The device's links have changed: so have, perhaps, the owners of events of earlier epochs."""
        if was.times == device.times and was.customers == device.customers:
            return
        store_id, name = device.who.split("|", 1)
        tenant = self._tenants[store_id]
        self._turn(tenant, name[2:], was.turns(), device.turns())
        oldest = self._people.floor - tenant.journal
        leaving, staying = [], []
        for kept in self._journal.events(device.key, oldest=oldest).values():
            event = event_of(kept, store_id)
            at = event.occurred_at
            old, new = was.owner_at(at, tenant.window), device.owner_at(at, tenant.window)
            if not new:
                staying.append(event)
            elif old != new and event.__class__ is NotificationSent:
                self._notifications.withdraw(event, at, tenant, f"c:{old}" if old else name)
                self._notifications.sent(event, at, tenant, f"c:{new}")
            elif old != new:
                _of(moving, store_id, new, bound).come.append(event)
                if old:
                    _of(moving, store_id, old, bound).gone.append(event)
                else:
                    leaving.append(event)
        if leaving:
            self._taking_back.take_back(self._people.find(tenant, name), leaving, staying)

    def _turn(self, tenant: Tenant, device: str, before: Timeline, after: Timeline) -> None:
        # What is older has not changed: if it is missing, it was let go of.
        settled = self._people.floor - tenant.lateness
        for at, _ in set(before) - set(after):
            if at >= settled:
                self.turned[tenant.store_id, device, at] = None
        for at, customer in set(after) - set(before):
            if at >= settled:
                self.turned[tenant.store_id, device, at] = customer

    def _give(self, device: Device, waiting: Waiting, moving: dict[tuple[str, str], _Moving]) -> None:
        """Keep new events of a device, and give them to their owners."""
        events = waiting.by_person[device.who]
        store_id = events[0].store_id
        tenant, bound = self._tenants[store_id], waiting.bound_of(device.who)
        self._keep(tenant, device.key, events)
        if not device.times:
            return
        own = []
        for event in events:
            owner = device.owner_at(event.occurred_at, tenant.window)
            if not owner:
                own.append(event)
            elif event.__class__ is NotificationSent:
                self._notifications.sent(event, event.occurred_at, tenant, "c:" + owner)
            else:
                _of(moving, store_id, owner, bound).come.append(event)
        if own:
            waiting.by_person[device.who] = own
        else:
            del waiting.by_person[device.who]

    def _moves(self, moving: dict[tuple[str, str], _Moving]) -> Iterator[Parcel]:
        for (store_id, customer), one in moving.items():
            home = self._home(store_id, customer)
            entries = [*[event.event_id for event in one.gone], *[keep(event) for event in one.come]]
            latest = max(event.occurred_at for event in (*one.gone, *one.come))
            for part, _ in parts(entries):
                gone = [entry for entry in part if isinstance(entry, str)]
                come = [entry for entry in part if not isinstance(entry, str)]
                yield home, Move(store_id, customer, gone, come, latest), one.bound

    # -- 3. what comes to our customers, and goes from them ---------------------------------------------------------

    def move(self, news: Move, clock: int) -> tuple[Person, list[Any]]:
        """Take back what is not the customer's any more. Returns who it is, and the events to apply to them.

        Before any other event of the epoch is applied to the customer.
        """
        tenant = self._tenants[news.store_id]
        person = self._people.find(tenant, "c:" + news.customer)
        self._people.dirty[person.key] = person
        days = tenant.journal // DAY_MS + 2
        if news.gone:
            oldest = self._people.floor - tenant.journal
            kept = self._journal.events(person.key, since=person.since, oldest=oldest)
            missing = [event_id for event_id in news.gone if event_id not in kept]
            if missing or not person.since:
                raise LookupError(
                    f"events {missing[:5]} are to be taken back from a customer of {news.store_id} whose journal does"
                    " not have them: corrupt state"
                )
            leaving = [event_of(kept.pop(event_id), tenant.store_id) for event_id in news.gone]
            staying = [event_of(one, tenant.store_id) for one in kept.values()]
            self._taking_back.take_back(person, leaving, staying)
        if news.come and not person.since:
            self._people.begin_journal(person, clock)
        person.assigned = max(person.assigned, news.latest)
        person.changed = True
        expires = max(news.latest, self._people.floor) // DAY_MS + days
        self._journal.add(person.key, [*news.gone, *news.come], expires)
        return person, [event_of(one, tenant.store_id) for one in news.come]

    def keep_direct(self, person: Person, events: list[Any]) -> None:
        """Journal own events of a customer whose journal has begun."""
        self._keep(person.tenant, person.key, events)

    def _keep(self, tenant: Tenant, key: bytes, events: Iterable[Any]) -> None:
        entries = [keep(event) for event in events]
        latest = max(max(event.occurred_at for event in events), self._people.floor)
        self._journal.add(key, entries, latest // DAY_MS + tenant.journal // DAY_MS + 2)

    def write(self, into: dict[bytes, Stored | None], clock: int) -> None:
        """Put journals and links into `into`."""
        self._journal.write(into, clock)
        self._devices.write(into)

    def _home(self, store_id: str, person: str) -> int:
        return partition_of(f"{store_id}|{person}".encode(), self._partitions)


def _is_device(who: str, events: list[Any]) -> bool:
    return who[len(events[0].store_id) + 1] == "a"


def _of(moving: dict[tuple[str, str], _Moving], store_id: str, customer: str, bound: int) -> _Moving:
    one = moving.get((store_id, customer))
    if one is None:
        one = moving[store_id, customer] = _Moving(bound)
    one.bound = min(one.bound, bound)
    return one
