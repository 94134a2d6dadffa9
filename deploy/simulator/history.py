"""Days of shop life at once: every record in the order in which it reached the log."""

import math
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from deploy.simulator.poison import bot_event, late_event, poison
from deploy.simulator.scenario import HOUR_MS, Scenario
from deploy.simulator.shop import Shop
from deploy.simulator.truth import ACCEPTED, DEAD_LETTER, DUPLICATE, LATE_CANDIDATE, TEST_TRAFFIC, Truth
from deploy.simulator.visits import visit
from deploy.simulator.wire import Draft, SimRecord
from schemas.topics import DAY_MS

# Visits by local hour: asleep at four, busy at noon, busiest at nine in the evening. Brought to a mean of 1 below.
_HOURS: Final = (3, 2, 1, 1, 1, 1, 2, 4, 6, 7, 8, 8, 9, 8, 7, 7, 8, 9, 10, 12, 14, 15, 12, 7)
_WEEKDAYS: Final = (0.95, 0.95, 0.95, 1.0, 1.05, 1.1, 1.0)
_MEAN_HOUR: Final = sum(_HOURS) / len(_HOURS)

# (arrival, serial, topic, key, value, bucket, what the truth needs: a draft or a reason, event time)
_Parcel = tuple[int, int, str, bytes, bytes, str, Draft | str, int]


def history(scenario: Scenario, truth: Truth, *, stamped_at_ms: int) -> Iterator[SimRecord]:
    """All records of the scenario, by arrival; `truth` accounts for each as it is taken, so one may stop anywhere.

    Records come in the order of their event time over all topics, except those that disorder or lateness holds back,
    by at most the scenario's bounds. Every record's own time is `stamped_at_ms` and no event says `sent_at`: a broker
    keeps records by their own time, and skew correction would move events whose record time is another.
    """
    return _History(scenario, truth).records(stamped_at_ms)


def new_truth(scenario: Scenario) -> Truth:
    """An empty account for this scenario's stores."""
    return Truth(zones={store.store_id: store.zone for store in scenario.stores})


def stamp(draft: Draft, event_id: str, at_ms: int) -> bytes:
    """The event happens: it gets its id and its time, and is serialised."""
    body = draft.body
    body["event_id"] = event_id
    body["occurred_at"] = draft.clock.write(at_ms)
    return orjson.dumps(body)


class _History:
    def __init__(self, scenario: Scenario, truth: Truth) -> None:
        self.scenario = scenario
        self.rates = scenario.rates
        self.truth = truth
        self.shops = [Shop(scenario, spec) for spec in scenario.stores]
        # Hours since the start -> what arrives in them; an hour is complete once all its visits have begun.
        self.hours: defaultdict[int, list[_Parcel]] = defaultdict(list)
        self.serial = 0

    def records(self, stamped_at_ms: int) -> Iterator[SimRecord]:
        start_ms, end_ms = self.scenario.start_ms, self.scenario.end_ms
        zones = [ZoneInfo(shop.spec.zone) for shop in self.shops]
        for hour in range(math.ceil((end_ms - start_ms) / HOUR_MS)):
            slot_ms = start_ms + hour * HOUR_MS
            length_ms = min(HOUR_MS, end_ms - slot_ms)
            for shop, zone in zip(self.shops, zones, strict=True):
                local = datetime.fromtimestamp(slot_ms // 1000, UTC).astimezone(zone)
                rhythm = _HOURS[local.hour] / _MEAN_HOUR * _WEEKDAYS[local.weekday()]
                expected = shop.spec.people * shop.habits.visits_per_week * rhythm * length_ms / (7 * DAY_MS)
                for _ in range(int(expected + shop.rng.random())):
                    self._visit(shop, slot_ms + int(length_ms * shop.rng.random()), end_ms)
            yield from self._arrived(hour, stamped_at_ms)
        for hour in sorted(self.hours):
            yield from self._arrived(hour, stamped_at_ms)

    def _visit(self, shop: Shop, start_ms: int, end_ms: int) -> None:
        random, rates = shop.rng.random, self.rates
        held_back = rates.disorder + rates.late
        spoilt = rates.duplicates + rates.poison + rates.test_traffic + rates.too_late + rates.misrouted
        for draft in visit(shop, shop.someone()):
            at_ms = start_ms + draft.after_ms
            if at_ms >= end_ms:
                continue  # not happened yet
            value = stamp(draft, shop.new_id("e"), at_ms)
            arrival = at_ms
            chosen = random()
            if chosen < held_back:
                bound_ms = rates.disorder_bound_ms if chosen < rates.disorder else rates.late_bound_ms
                arrival += int(bound_ms * random())
            key = draft.key
            if random() < spoilt:
                key = self._spoil(shop, draft, value, at_ms, arrival, random() * spoilt)
            self._send(arrival, draft.topic, key, value, ACCEPTED, draft, at_ms)

    def _spoil(
        self, shop: Shop, draft: Draft, value: bytes, at_ms: int, arrival: int, chosen: float
    ) -> bytes:
        """One of the things that go wrong around a good event. Returns the event's key."""
        rates, random = self.rates, shop.rng.random
        key = draft.key
        kinds = (DUPLICATE, DEAD_LETTER, TEST_TRAFFIC, LATE_CANDIDATE, "misrouted")
        shares = (rates.duplicates, rates.poison, rates.test_traffic, rates.too_late, rates.misrouted)
        trouble = kinds[min(bisect(list(accumulate(shares)), chosen), len(kinds) - 1)]
        if trouble == DUPLICATE:
            again = arrival + 1 + int((rates.duplicate_bound_ms - 1) * random())
            self._send(again, draft.topic, key, value, DUPLICATE, draft, at_ms)
        elif trouble == DEAD_LETTER:
            kind, key_of_poison, broken = poison(shop, at_ms)
            self._send(arrival, kind.topic, key_of_poison, broken, DEAD_LETTER, kind.reason, at_ms)
        elif trouble == TEST_TRAFFIC:
            test = bot_event(shop)
            self._send(
                arrival, test.topic, test.key, stamp(test, shop.new_id("e"), at_ms), TEST_TRAFFIC, test, at_ms
            )
        elif trouble == LATE_CANDIDATE:
            late = late_event(shop)
            late_ms = at_ms - DAY_MS - HOUR_MS - int(random() * 2 * DAY_MS)
            self._send(
                arrival,
                late.topic,
                late.key,
                stamp(late, shop.new_id("e"), late_ms),
                LATE_CANDIDATE,
                late,
                late_ms,
            )
        else:
            return shop.key("lost")
        return key

    def _send(
        self, arrival: int, topic: str, key: bytes, value: bytes, bucket: str, about: Draft | str, at_ms: int
    ) -> None:
        self.serial += 1
        hour = (arrival - self.scenario.start_ms) // HOUR_MS
        self.hours[hour].append((arrival, self.serial, topic, key, value, bucket, about, at_ms))

    def _arrived(self, hour: int, stamped_at_ms: int) -> Iterator[SimRecord]:
        parcels: list[Any] = self.hours.pop(hour, [])
        parcels.sort()
        truth = self.truth
        for _, _, topic, key, value, bucket, about, at_ms in parcels:
            if bucket == ACCEPTED:
                truth.accept(topic, about.body, at_ms, about.note)
                truth.misrouted += key is not about.key
            elif bucket == DEAD_LETTER:
                truth.account(topic, DEAD_LETTER, about)
            else:
                truth.account(topic, bucket)
            yield SimRecord(topic, key, value, stamped_at_ms)
