"""Shop life as it happens: any number of events now, from many visits at once, each a step further."""

import heapq
from collections import deque
from random import Random
from typing import Final

import orjson

from deploy.simulator.history import stamp
from deploy.simulator.poison import bot_event, late_event, poison
from deploy.simulator.scenario import HOUR_MS, Scenario
from deploy.simulator.shop import Person, Shop
from deploy.simulator.truth import DEAD_LETTER, DUPLICATE, LATE_CANDIDATE, TEST_TRAFFIC, Truth
from deploy.simulator.visits import visit
from deploy.simulator.wire import Draft, SimRecord
from schemas.topics import DAY_MS

# What follows days later (a refund, a journey's next step) comes this much sooner, so that an hour of live traffic
# shows it: a day becomes 43 seconds.
FAR_FASTER: Final = 2_000
# Later than this after the visit's start is far; nearer steps keep their order within the visit.
FAR_MS: Final = 2 * HOUR_MS
# An event in transit for longer would look stuck to someone watching; the log does not care how long it was.
LIVE_HOLD_MS: Final = 20_000
# A visit makes an event every so many seconds at full rate, so the number of open visits follows from the rate.
_SECONDS_BETWEEN_STEPS: Final = 8
_FEWEST_VISITS: Final = 24

_SENT_AGO_MS: Final = 400


class _Visit:
    __slots__ = ("far", "near", "person", "shop")

    def __init__(self, shop: Shop, person: Person) -> None:
        drafts = sorted(visit(shop, person), key=lambda draft: draft.after_ms)
        self.shop = shop
        self.person = person
        self.near = deque(draft for draft in drafts if draft.after_ms < FAR_MS)
        self.far = [draft for draft in drafts if draft.after_ms >= FAR_MS]


class Live:
    """Makes the next records on demand. Clock-free: `now_ms` is handed in and never goes back.

    `take` gives events that happen now, apart from those that disorder held back or that were offline for hours.
    The same calls with the same `now_ms` give the same bytes.
    """

    def __init__(self, scenario: Scenario, truth: Truth) -> None:
        """Ids of `scenario.run` must be new: the same people come back, but what they do happens for the first time."""
        self.rates = scenario.rates
        self.truth = truth
        self.shops: Final = [Shop(scenario, spec, live=True) for spec in scenario.stores]
        self.weights: Final = [spec.people for spec in scenario.stores]
        self.rng: Final = Random(f"{scenario.seed}/live/{scenario.prefix}")
        self.visits: list[_Visit] = []
        self.busy: set[int] = set()
        self.due: list[tuple[int, int, Shop, Draft]] = []
        """What follows from finished visits: (due, serial, shop, draft)."""
        self.held: list[tuple[int, int, Shop, Draft, int, bytes | None]] = []
        """In transit: (release, serial, shop, draft, event time, value if it is a repeat of these bytes)."""
        self.serial = 0
        self.taken = 0

    def take(self, count: int, *, now_ms: int, rate: float) -> list[SimRecord]:
        """Exactly `count` records of this moment; `rate` (records/s) sets how many visits are under way."""
        records: list[SimRecord] = []
        # Visits begin one after the other, as if the shop had just opened; else the first seconds were all beginnings.
        wanted = min(rate * _SECONDS_BETWEEN_STEPS, _FEWEST_VISITS + self.taken / 4, sum(self.weights) / 4)
        while len(records) < count:
            if self.held and self.held[0][0] <= now_ms:
                self._release(records, now_ms)
            elif self.due and self.due[0][0] <= now_ms:
                _, _, shop, draft = heapq.heappop(self.due)
                self._happen(records, shop, draft, now_ms, count)
            else:
                self._step(records, now_ms, count, max(1, wanted))
        self.taken += count
        return records

    def _step(self, records: list[SimRecord], now_ms: int, count: int, wanted: float) -> None:
        if len(self.visits) < wanted:
            shop = self.rng.choices(self.shops, self.weights)[0]
            person = shop.someone()
            # Nobody is in two places: the steps of two visits of one person would mix in one cart.
            if id(person) not in self.busy:
                self.busy.add(id(person))
                self.visits.append(_Visit(shop, person))
        if not self.visits:
            return
        index = int(len(self.visits) * self.rng.random())
        going = self.visits[index]
        if going.near:
            self._happen(records, going.shop, going.near.popleft(), now_ms, count)
        if not going.near:
            for draft in going.far:
                self.serial += 1
                due_ms = now_ms + draft.after_ms // FAR_FASTER
                heapq.heappush(self.due, (due_ms, self.serial, going.shop, draft))
            self.busy.discard(id(going.person))
            self.visits[index] = self.visits[-1]
            self.visits.pop()

    def _happen(self, records: list[SimRecord], shop: Shop, draft: Draft, now_ms: int, count: int) -> None:
        """The event happens now. It arrives now too, unless it is held back or was offline for hours."""
        random, rates = shop.rng.random, self.rates
        draft.body["event_id"] = shop.new_id("e")
        chosen = random()
        if chosen < rates.disorder:
            hold_ms = int(min(rates.disorder_bound_ms, LIVE_HOLD_MS) * random())
            self._hold(now_ms + hold_ms, shop, draft, now_ms, None)
        elif chosen < rates.disorder + rates.late:
            self._arrive(records, shop, draft, now_ms - int(rates.late_bound_ms * random()), now_ms)
        else:
            self._arrive(records, shop, draft, now_ms, now_ms)
        if len(records) < count:
            self._trouble(records, shop, now_ms)

    def _arrive(self, records: list[SimRecord], shop: Shop, draft: Draft, at_ms: int, now_ms: int) -> None:
        clock, body, rates = draft.clock, draft.body, self.rates
        if clock.sends:
            delay_ms = 0 if clock.skew_ms else int(_SENT_AGO_MS * shop.rng.random())
            body["sent_at"] = clock.write(now_ms - delay_ms + clock.skew_ms)
        value = stamp(draft, body["event_id"], at_ms + clock.skew_ms)
        key = draft.key
        if shop.rng.random() < rates.misrouted:
            key = shop.key("lost")
            self.truth.misrouted += 1
        self.truth.accept(draft.topic, body, at_ms, draft.note)
        records.append(SimRecord(draft.topic, key, value, now_ms))
        # The same bytes under a later record time would be corrected to another event time.
        if not clock.skew_ms and shop.rng.random() < rates.duplicates:
            hold_ms = 1 + int(min(rates.duplicate_bound_ms, LIVE_HOLD_MS) * shop.rng.random())
            self._hold(now_ms + hold_ms, shop, draft, at_ms, value)

    def _hold(self, release_ms: int, shop: Shop, draft: Draft, at_ms: int, value: bytes | None) -> None:
        self.serial += 1
        heapq.heappush(self.held, (release_ms, self.serial, shop, draft, at_ms, value))

    def _release(self, records: list[SimRecord], now_ms: int) -> None:
        _, _, shop, draft, at_ms, value = heapq.heappop(self.held)
        if value is None:
            self._arrive(records, shop, draft, at_ms, now_ms)
        else:
            self.truth.account(draft.topic, DUPLICATE)
            records.append(SimRecord(draft.topic, draft.key, value, now_ms))

    def _trouble(self, records: list[SimRecord], shop: Shop, now_ms: int) -> None:
        """At most one record beside the good one: broken, test traffic, or far too late."""
        rates = self.rates
        chosen = shop.rng.random()
        if chosen < rates.poison:
            kind, key, value = poison(shop, now_ms)
            self.truth.account(kind.topic, DEAD_LETTER, kind.reason)
            records.append(SimRecord(kind.topic, key, value, now_ms))
            return
        if chosen < rates.poison + rates.test_traffic:
            draft, bucket, at_ms = bot_event(shop), TEST_TRAFFIC, now_ms
        elif chosen < rates.poison + rates.test_traffic + rates.too_late:
            draft, bucket = late_event(shop), LATE_CANDIDATE
            at_ms = now_ms - DAY_MS - HOUR_MS - int(shop.rng.random() * 2 * DAY_MS)
        else:
            return
        draft.body["event_id"] = shop.new_id("e")
        draft.body["occurred_at"] = at_ms
        self.truth.account(draft.topic, bucket)
        records.append(SimRecord(draft.topic, draft.key, orjson.dumps(draft.body), now_ms))
