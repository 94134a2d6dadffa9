"""Small nasty worlds of raw records, for properties that compare the pipeline with the oracle.

Two or three people, few products, and instants that lie on window edges, time-outs and midnights, so that ties and
boundaries are the rule. `worlds()` is the hypothesis strategy (shrinks), `random_world(seed)` the fast generator, both
made by the same code. `compare` says where two sets of rows differ.

What a world leaves out, because the contract leaves it open or lets it hang on the arrival: repeats of an event_id with
another body or person, reuse of a session_id after the retention (H41), and a later order version that comes when the
touches of its order may be forgotten (H58).
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from hypothesis import strategies as st

from schemas.rates import HEADER, Rates, parse_rates
from schemas.rows import BOOKKEEPING
from schemas.stores import Store
from tests.oracle.chooser import Chooser, DrawChooser, RandomChooser
from tests.oracle.defining import choose_definition
from tests.oracle.poison import choose_poison
from tests.oracle.rating import choose_reporting
from tests.oracle.records import RawRecord, RowKey
from tests.oracle.reporting import Rates as OracleRates
from tests.oracle.reporting import read_rates
from tests.oracle.shopping import Setting, choose_happenings, choose_setting
from tests.oracle.wire import PARTITIONS, Sent, raw_records

MOST_STORIES = 20


@dataclass(frozen=True)
class Arrival:
    """An event that comes `delay_ms` after its event time `at`; within `latest_ms` the world means the same."""

    sent: Sent
    at: int
    delay_ms: int
    latest_ms: int

    @property
    def comes_at(self) -> int:
        """Where on the time line of event times it is read: nothing read before it is newer than this."""
        return self.at + self.delay_ms


@dataclass(frozen=True)
class World:
    """Raw records in one order of arrival, and the stores they belong to."""

    arrivals: tuple[Arrival, ...]
    stores: Mapping[str, Store]
    partitions: int = PARTITIONS
    rates_csv: str = HEADER + "\n"
    """What currencies are worth, as the operator's file says it; of some days it says nothing."""

    @cached_property
    def rates(self) -> Rates:
        """The file as the worker reads it."""
        return parse_rates(self.rates_csv)

    @cached_property
    def oracle_rates(self) -> OracleRates:
        """The file as the oracle reads it."""
        return read_rates(self.rates_csv)

    @cached_property
    def records(self) -> list[RawRecord]:
        """In order of arrival; partitions by key, offsets counted by topic and partition."""
        ordered = sorted(self.arrivals, key=lambda arrival: arrival.comes_at)
        return raw_records((arrival.sent for arrival in ordered), partitions=self.partitions)

    def arriving(self, seed: int, *, partitions: int | None = None) -> "World":
        """The same events in another order, each still no later than its `latest_ms`; other offsets, same rows."""
        chance = random.Random(seed)
        again = [
            replace(
                arrival, delay_ms=chance.choice((0, arrival.latest_ms, chance.randint(0, arrival.latest_ms)))
            )
            for arrival in chance.sample(self.arrivals, len(self.arrivals))
        ]
        return replace(self, arrivals=tuple(again), partitions=partitions or self.partitions)

    def __repr__(self) -> str:
        lines = [f"World(partitions={self.partitions}, stores={dict(self.stores)})"]
        lines += self.rates_csv.splitlines()
        lines += [
            f"  {record.topic}/{record.partition}/{record.offset} at {record.timestamp_ms}: "
            f"{(record.value or b'null').decode(errors='replace')}"
            for record in self.records
        ]
        return "\n".join(lines)


def make_world(
    chooser: Chooser,
    *,
    most_stories: int = MOST_STORIES,
    poison: bool = False,
    late: bool = False,
    shared_orders: bool = True,
    identity: bool = False,
    metrics: bool = False,
) -> World:
    """A world by a chooser.

    `poison`: with dead letters and test traffic. `late`: some events come later than allowed; what was called too late
    must then be told to the oracle, and `arriving` brings them back in time. `shared_orders`: two persons may capture
    one order (H51). `identity`: devices log in, some of them two customers. `metrics`: all subjects, histories of
    months, and definitions.
    """
    setting = choose_setting(chooser, shared_orders=shared_orders, identity=identity, metrics=metrics)
    arrivals: list[Arrival] = []
    stories = chooser.repeat(lambda inner: choose_happenings(inner, setting), 1, most_stories)
    for number, happening in enumerate(happening for story in stories for happening in story):
        # The number makes it unique, the rank before it decides ties in an order of its own.
        value = {"event_id": f"{happening.id_rank}-{number}", **happening.value}
        sent = Sent(happening.topic, value, happening.timestamp_ms)
        for _ in range(2 if chooser.chance(6) else 1):
            delay_ms = chooser.pick((0, 0, happening.latest_ms, happening.latest_ms // 2))
            if late and chooser.chance(5):
                store = setting.stores[value["store_id"]]
                # From a millisecond more than allowed to long after the next window's edge.
                more_ms = chooser.pick((1, store.attribution_window_ms, 2 * store.attribution_window_ms))
                delay_ms = store.allowed_lateness_ms + more_ms
            arrivals.append(Arrival(sent, happening.at, delay_ms, happening.latest_ms))
    if metrics and chooser.chance(2):
        for number in range(chooser.integer(1, 12)):
            sent, at = choose_definition(chooser, setting, number)
            arrivals.append(Arrival(sent, at, 0, 0))
    if poison:
        arrivals += chooser.repeat(lambda inner: _poisoned(inner, setting), 0, 4)
    stores, rates_csv = choose_reporting(
        chooser, setting.stores, [arrival.at for arrival in arrivals if arrival.sent.topic == "order"]
    )
    return World(tuple(arrivals), stores, rates_csv=rates_csv)


def _poisoned(chooser: Chooser, setting: Setting) -> Arrival:
    topic, value, at, timestamp_ms = choose_poison(chooser, setting)
    if isinstance(value, dict):
        value = {"event_id": f"{chooser.integer(0, 9)}-{chooser.integer(0, MOST_STORIES)}", **value}
    return Arrival(Sent(topic, value, timestamp_ms), at, 0, 0)


def random_world(
    seed: int,
    *,
    most_stories: int = MOST_STORIES,
    poison: bool = False,
    late: bool = False,
    shared_orders: bool = True,
    identity: bool = False,
    metrics: bool = False,
) -> World:
    """The world of a seed; see `make_world`."""
    return make_world(
        RandomChooser(seed),
        most_stories=most_stories,
        poison=poison,
        late=late,
        shared_orders=shared_orders,
        identity=identity,
        metrics=metrics,
    )


@st.composite
def worlds(
    draw: st.DrawFn,
    *,
    most_stories: int = MOST_STORIES,
    poison: bool = False,
    late: bool = False,
    shared_orders: bool = True,
    identity: bool = False,
    metrics: bool = False,
) -> World:
    """Worlds as a hypothesis strategy; see `make_world`."""
    return make_world(
        DrawChooser(draw),
        most_stories=most_stories,
        poison=poison,
        late=late,
        shared_orders=shared_orders,
        identity=identity,
        metrics=metrics,
    )


@dataclass(frozen=True)
class Difference:
    """Where two sets of rows differ: one column, or (column empty) a row that only one of them has."""

    table: str
    key: RowKey
    column: str
    left: Any
    right: Any

    def __str__(self) -> str:
        place = f"{self.table} {self.key}"
        if self.column:
            return f"{place}: {self.column} is {self.left!r} on the left, {self.right!r} on the right"
        return f"{place}: only on the {'right' if self.left is None else 'left'}: {self.left or self.right}"


def compare(
    left: Mapping[str, Mapping[RowKey, Any]], right: Mapping[str, Mapping[RowKey, Any]]
) -> list[Difference]:
    """All differences, bookkeeping columns left out; both sides as `fold_rows` or the oracle give them."""
    found: list[Difference] = []
    for table in sorted({*left, *right}):
        ours, theirs = left.get(table, {}), right.get(table, {})
        for key in sorted({*ours, *theirs}, key=repr):
            one, other = ours.get(key), theirs.get(key)
            if one is None or other is None:
                found.append(Difference(table, key, "", one, other))
                continue
            for column in one.__struct_fields__:
                if column in BOOKKEEPING:
                    continue
                a, b = getattr(one, column), getattr(other, column)
                if a != b:
                    found.append(Difference(table, key, column, a, b))
    return found
