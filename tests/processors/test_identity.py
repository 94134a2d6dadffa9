"""Whose an event is that names only a device (H20 to H25), in any order and at any pace."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processors import journal, remembered, shop, touches
from schemas.stores import Store
from tests.driver import PipelineDriver
from tests.golden.cases import MINUTE, TEN, event
from tests.oracle.identity import links_of, owner_at
from tests.oracle.recompute import recompute
from tests.oracle.verdicts import judge
from tests.oracle.wire import Sent, raw_records
from tests.processors.apart import driver_read_apart
from tests.processors.test_convergence import assert_equal, rows_of
from tests.worlds import World, random_world, worlds

DAY = 86_400_000
DEVICE = {"anonymous_id": "x"}
ANN, BOB, CID = {"customer_id": "ann"}, {"customer_id": "bob"}, {"customer_id": "cid"}
P1 = [{"product_id": "p1"}]
BOUGHT = {"currency": "EUR", "lines": [{"product_id": "p1", "quantity": 1, "unit_price": 1}], "total": 1}


@pytest.fixture(autouse=True, scope="module")
def links_are_put_aside() -> Iterator[None]:
    """Worlds are too small for runs of 64 links."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remembered, "RUN", 2)
        yield


# -- worlds -------------------------------------------------------------------------------------------------------------


def assert_exact(driver: PipelineDriver, world: World) -> None:
    """Rows, links and sendings are the oracle's, and no row is left behind under another day of its table."""
    oracle = recompute(world.records, world.stores, rates=world.oracle_rates)
    assert_equal(driver.rows(), oracle.rows, world)
    _, events = judge(world.records, world.stores)
    links = links_of(events)
    turns = {}
    for (store_id, device), found in links.items():
        for number, link in enumerate(found):
            if not number or found[number - 1].customer_id != link.customer_id:
                turns[store_id, device, link.at] = link.customer_id
    assert {key: row.customer_id for key, row in live(driver, "links", 3).items()} == turns
    sent = set()
    for one in events:
        if one.type == "notification_sent":
            person = f"c:{one.customer_id}" if one.customer_id is not None else f"a:{one.anonymous_id}"
            if one.customer_id is None:
                known = links.get((one.store_id, one.anonymous_id or ""), [])
                owner = owner_at(known, one.at, world.stores[one.store_id].attribution_window_ms)
                person = f"c:{owner}" if owner else person
            sent.add((one.store_id, person, one.event_id))
    found_sent = {
        (row.store_id, row.person, row.event_id) for row in live(driver, "notifications", 4).values()
    }
    assert found_sent == sent
    for table, size in (("sessions", 3), ("exposures", 4), ("orders", 2)):
        days = Counter(key[1:] for key in live(driver, table, size, by_day=True))
        assert set(days.values()) <= {1}, (table, days.most_common(3), world)


def live(driver: PipelineDriver, table: str, size: int, *, by_day: bool = False) -> dict[Any, Any]:
    """Rows as ClickHouse keeps them: by key (the first `size` columns), and the day they were born where it is part."""
    latest: dict[Any, Any] = {}
    for row in driver.written(table):
        columns = [getattr(row, name) for name in row.__struct_fields__]
        key = (row.born if by_day else 0, *columns[:size])
        if key not in latest or row.version >= latest[key].version:
            latest[key] = row
    return {key if by_day else key[1:]: row for key, row in latest.items() if not row.is_deleted}


@pytest.mark.parametrize("seed", range(120))
def test_worlds_with_logins_equal_the_oracle_in_any_order_and_number_of_partitions(seed: int) -> None:
    world = random_world(seed, identity=True)
    oracle = recompute(world.records, world.stores, rates=world.oracle_rates).rows
    for arrival in (world, world.arriving(seed)):
        assert_equal(rows_of(arrival, seed, partitions=1 + seed % 4), oracle, arrival)


@pytest.mark.parametrize("seed", range(120))
def test_partitions_weeks_apart_with_messages_that_lie_for_long_give_the_same(seed: int) -> None:
    world = random_world(10_000 + seed, identity=True, most_stories=40)
    assert_exact(driver_read_apart(world, seed), world)


@pytest.mark.parametrize("seed", range(40))
def test_long_histories_that_are_loaded_anew_each_time_equal_the_oracle(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(touches, "SEGMENT_CAPACITY", 3)
    monkeypatch.setattr(shop, "PEOPLE_BYTES_IN_MEMORY", 1)
    monkeypatch.setattr(shop, "ORDERS_IN_MEMORY", 1)
    monkeypatch.setattr(journal, "PART_BYTES", 100)
    world = random_world(20_000 + seed, identity=True, most_stories=60).arriving(seed)
    assert_exact(driver_read_apart(world, seed), world)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(world=worlds(identity=True), seed=st.integers(0, 2**32))
def test_any_world_with_logins_equals_the_oracle(world: World, seed: int) -> None:
    arrival = world.arriving(seed)
    assert_exact(driver_read_apart(arrival, seed), arrival)


@pytest.mark.parametrize("seed", range(25))
def test_every_crash_point_of_a_world_with_logins_gives_the_same(seed: int) -> None:
    world = random_world(30_000 + seed, identity=True, most_stories=6).arriving(seed)
    records = list(world.records)
    oracle = recompute(world.records, world.stores, rates=world.oracle_rates).rows
    for point in range(len(records) + 1):
        driver = PipelineDriver(world.stores, rates=world.rates, partitions=2)
        driver.pipe(records[:point], chunk=1, commit=False)
        driver.commit_one(point % 2)
        driver.crash()
        driver.pipe(records[point:], chunk=3)
        assert_equal(driver.rows(), oracle, world)


# -- one story each -----------------------------------------------------------------------------------------------------


def told(*events: Sent, partitions: int = 3) -> PipelineDriver:
    """A driver that has taken these one by one, each after a restart: nothing is in memory, and what no event needs any
    more is forgotten. Its rows are the oracle's."""
    stores = {"acme": Store()}
    driver = PipelineDriver(stores, partitions=partitions)
    records = raw_records(events, partitions=partitions)
    for record in records:
        driver.pipe([record])
        driver.crash()
    world = World((), stores)
    assert_equal(driver.rows(), recompute(records, stores).rows, world)
    return driver


def people(driver: PipelineDriver, table: str = "sessions") -> Counter[str]:
    return Counter(row.person for row in driver.rows()[table].values())


def stay(at: int, **more: Any) -> Sent:
    return event("session", "activity", at, **DEVICE, **more)


def day_of(who: dict[str, str], at: int) -> list[Sent]:
    """Something in each topic that orders and touches are in: time goes on."""
    return [
        event("session", "activity", at, **who),
        event("impression", "shown", at, **who, widget_id="X", products=[{"product_id": "p9"}]),
        event("cart", "added", at, **who, product_id="p9", quantity=1),
        event("order", "captured", at, **who, order_id=f"o-{at}", **BOUGHT),
    ]


def login(at: int, who: dict[str, str]) -> Sent:
    return event("session", "identified", at, **DEVICE, **who)


def test_a_login_takes_the_window_before_it_to_the_millisecond_and_leaves_the_rest() -> None:
    week = 7 * DAY
    days = [stay(TEN + n * DAY) for n in range(2, 7)]
    driver = told(stay(TEN), stay(TEN + 1), *days, login(TEN + week + 1, ANN))
    assert people(driver) == {"a:x": 1, "c:ann": 7}
    older = driver.rows()["sessions"]["acme", "a:x", f"g:web:{TEN}"]
    assert (older.started_at, older.ended_at, older.activities) == (TEN, TEN, 1)


def test_who_logs_in_later_has_what_follows_and_a_late_link_in_between_takes_it_back() -> None:
    first = [
        login(TEN, ANN),
        stay(TEN + 60 * MINUTE),
        stay(TEN + 200 * MINUTE),
        login(TEN + 300 * MINUTE, ANN),
    ]
    assert people(told(*first, stay(TEN + 400 * MINUTE))) == {"c:ann": 5}
    driver = told(*first, stay(TEN + 400 * MINUTE), login(TEN + 100 * MINUTE, BOB))
    assert people(driver) == {"c:ann": 4, "c:bob": 2}
    keys = {key[2]: row.customer_id for key, row in live(driver, "links", 3).items()}
    assert keys == {TEN: "ann", TEN + 100 * MINUTE: "bob", TEN + 300 * MINUTE: "ann"}


def test_links_that_were_not_told_are_told_when_somebody_else_links_in_between_a_day_later() -> None:
    driver = told(
        login(TEN, ANN),
        stay(TEN + 200 * MINUTE),
        login(TEN + 300 * MINUTE, ANN),
        stay(TEN + 400 * MINUTE),
        event("session", "activity", TEN + DAY, **CID),
        login(TEN + 100 * MINUTE, BOB),
    )
    assert people(driver) == {"c:ann": 3, "c:bob": 2, "c:cid": 1}


def node(at: int, **more: Any) -> Sent:
    """An event of the journey-node topic: it links a device, and leaves nothing else with its person."""
    place = {"journey_id": "j", "execution_id": "e", "node_id": "n", "node_type": "wait"}
    return event("journey-node", "node_entered", at, **DEVICE, **place, **more)


def test_links_of_somebody_who_has_nothing_else_are_kept_for_as_long_as_they_matter() -> None:
    driver = told(
        node(TEN, **ANN),
        node(TEN + 300 * MINUTE, **ANN),
        *day_of(CID, TEN + 320 * MINUTE),
        login(TEN + 100 * MINUTE, BOB),
        stay(TEN + 330 * MINUTE),
        partitions=1,
    )
    assert people(driver) == {"c:ann": 1, "c:bob": 1, "c:cid": 1}


def test_a_customer_whose_only_event_was_a_devices_can_give_it_back() -> None:
    driver = told(
        stay(TEN, session_id="d"),
        login(TEN + MINUTE, {**ANN, "session_id": "d"}),
        login(TEN + 60 * MINUTE, {**BOB, "session_id": "e"}),
        *day_of(CID, TEN + 61 * MINUTE),
        login(TEN - MINUTE, {**BOB, "session_id": "f"}),
        partitions=1,
    )
    assert people(driver)["c:bob"] == 3


def test_what_was_taken_back_stays_away_when_the_session_is_made_again_once_more() -> None:
    both = {"session_id": "s"}
    driver = told(
        login(TEN, ANN),
        *[stay(TEN + n * 10 * MINUTE, **both) for n in (1, 3, 5)],
        login(TEN + 45 * MINUTE, BOB),
        login(TEN + 25 * MINUTE, CID),
    )
    sessions = driver.rows()["sessions"]
    assert {name: sessions["acme", name, "s:s"].activities for name in ("c:ann", "c:bob", "c:cid")} == {
        "c:ann": 1, "c:bob": 1, "c:cid": 1,
    }  # fmt: skip


def test_an_interaction_whose_impression_is_taken_back_falls_to_the_one_before() -> None:
    shown = [event("impression", "shown", TEN, **ANN, widget_id="OLD", products=P1)]
    apart = {"session_id": "d", "widget_id": "NEW", "products": P1}
    shown += [event("impression", "shown", TEN + 9 * MINUTE, **DEVICE, **apart)]
    story = [
        login(TEN + MINUTE, ANN),
        *shown,
        event("click", "clicked", TEN + 10 * MINUTE, **ANN, product_id="p1"),
        event("order", "captured", TEN + 20 * MINUTE, **ANN, order_id="o1", **BOUGHT),
    ]
    assert told(*story).rows()["orders"]["acme", "o1"].widget_id == ["NEW"]
    driver = told(*story, login(TEN + 8 * MINUTE, BOB))
    assert driver.rows()["orders"]["acme", "o1"].widget_id == ["OLD"]


def test_a_pointer_never_expires() -> None:
    months = [stay(TEN + n * 40 * DAY) for n in range(1, 6)]
    assert people(told(login(TEN, ANN), *months)) == {"c:ann": 6}


def test_a_session_of_own_events_and_of_a_devices_loses_only_the_devices() -> None:
    both = {"session_id": "s"}
    own = [event("session", "activity", TEN - n * MINUTE, **ANN, **both) for n in (9, 1)]
    driver = told(
        own[0],
        login(TEN - 5 * MINUTE, ANN),
        stay(TEN, **both),
        event("impression", "shown", TEN + MINUTE, **DEVICE, **both, widget_id="W", products=P1),
        own[1],
        login(TEN - MINUTE, BOB),
    )
    session = driver.rows()["sessions"]["acme", "c:ann", "s:s"]
    assert (session.activities, session.impressions) == (2, 0)
    assert driver.rows()["sessions"]["acme", "c:bob", "s:s"].impressions == 1
    assert set(driver.rows()["exposures"]) == {("acme", "c:bob", "s:s", "W")}


def test_a_guests_order_moves_with_its_credit_and_what_was_taken_back_of_it() -> None:
    driver = told(
        event("impression", "shown", TEN, **DEVICE, widget_id="W", products=P1),
        event("cart", "added", TEN + MINUTE, **DEVICE, product_id="p1", quantity=1),
        event("order", "captured", TEN + 2 * MINUTE, **DEVICE, order_id="o1", **BOUGHT),
        event("order", "refunded", TEN + DAY, order_id="o1", refund_id="r", amount=1),
        login(TEN + 3 * DAY, ANN),
        event("order", "canceled", TEN + 4 * DAY, order_id="o1"),
    )
    order = driver.rows()["orders"]["acme", "o1"]
    assert (order.person, order.credit, order.adjustment) == ("c:ann", ["direct"], ["refund", "cancel"])
    assert people(driver) == {"c:ann": 2}


def test_what_a_device_saw_a_week_ago_earns_in_an_order_of_another_device_days_ago() -> None:
    driver = told(
        event("impression", "shown", TEN - 6 * DAY, **ANN, widget_id="OLD", products=P1),
        event("impression", "shown", TEN, **DEVICE, widget_id="W", products=P1),
        event("cart", "added", TEN + MINUTE, **ANN, product_id="p1", quantity=1),
        event("order", "captured", TEN + 2 * MINUTE, **ANN, order_id="o1", **BOUGHT),
        # The shop goes on, and forgets what it can.
        *[one for n in range(1, 7) for one in day_of(BOB, TEN + n * DAY)],
        login(TEN + 6 * DAY, ANN),
        partitions=1,
    )
    assert driver.rows()["orders"]["acme", "o1"].widget_id == ["W"]


def test_a_sending_to_a_device_is_the_customers() -> None:
    sending = {"journey_id": "j", "execution_id": "e", "notification_channel": "push"}
    driver = told(
        event("journey-node", "notification_sent", TEN, **DEVICE, **sending, communication_id="m1"),
        event("journey-node", "started", TEN + MINUTE, **DEVICE, **ANN, journey_id="j", execution_id="e"),
        event("journey-node", "notification_sent", TEN + DAY, **DEVICE, **sending, communication_id="m2"),
    )
    assert [(key[1], key[2]) for key in sorted(live(driver, "notifications", 4))] == [
        ("m1", "c:ann"),
        ("m2", "c:ann"),
    ]
