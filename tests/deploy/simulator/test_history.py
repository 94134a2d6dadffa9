"""Histories: the same every time, in the promised order, and like a shop."""

from collections import Counter, defaultdict
from itertools import islice

import msgspec
import orjson
import pytest

from deploy.simulator import CLEAN, Habits, Rates, Scenario, ScenarioError, StoreSpec, history, new_truth
from deploy.simulator.scenario import HOUR_MS
from schemas.stores import parse_stores
from schemas.topics import DAY_MS, SOURCES
from tests.deploy.simulator.stories import END_MS, SMALL, STAMP_MS, WORLD, objects, play


# People who write epoch milliseconds: their events' times can be compared without reading the other forms.
def _times(values: list[dict[str, object]]) -> list[int]:
    return [at for value in values if isinstance(at := value.get("occurred_at"), int)]


def test_the_same_scenario_gives_the_same_bytes() -> None:
    records, truth = play(SMALL)
    again, same_truth = play(SMALL)
    assert records == again
    assert truth == same_truth
    other, _ = play(msgspec.structs.replace(SMALL, seed=2))
    assert [record.value for record in other] != [record.value for record in records]


def test_two_scenarios_share_no_event_id() -> None:
    mine = {str(value["event_id"]) for value in objects(play(SMALL)[0]) if "event_id" in value}
    later = msgspec.structs.replace(SMALL, start_ms=SMALL.start_ms + DAY_MS)
    theirs = {str(value["event_id"]) for value in objects(play(later)[0]) if "event_id" in value}
    assert not {eid for eid in mine if eid.startswith("e")} & {eid for eid in theirs if eid.startswith("e")}


def test_a_clean_history_is_in_the_order_of_event_time_over_all_topics() -> None:
    records, truth = play(msgspec.structs.replace(SMALL, rates=CLEAN))
    times = _times(objects(records))
    assert len(times) > 500
    assert times == sorted(times)
    assert SMALL.start_ms <= times[0]
    assert times[-1] < SMALL.end_ms
    assert truth.records == truth.bucket("accepted") == len(records)


@pytest.mark.parametrize(
    ("rates", "bound_ms"),
    [
        (Rates(disorder=0.3, late=0, duplicates=0, poison=0), HOUR_MS),
        (Rates(disorder=0.3, disorder_bound_ms=60_000, late=0, duplicates=0, poison=0), 60_000),
        (Rates(disorder=0, late=0.1, duplicates=0, poison=0), 22 * HOUR_MS),
        (Rates(disorder=0.1, late=0.1, duplicates=0.3, poison=0), 23 * HOUR_MS),
    ],
)
def test_nothing_arrives_later_than_its_bound(rates: Rates, bound_ms: int) -> None:
    times = _times(objects(play(msgspec.structs.replace(SMALL, rates=rates))[0]))
    newest, most = 0, 0
    for at in times:
        most = max(most, newest - at)
        newest = max(newest, at)
    assert bound_ms * 0.7 < most <= bound_ms


def test_history_carries_todays_record_time_and_no_sent_at() -> None:
    records, _ = play(SMALL)
    assert {record.timestamp_ms for record in records} == {STAMP_MS}
    assert not any("sent_at" in value for value in objects(records))


def test_the_default_mix_looks_like_a_shop() -> None:
    scenario = Scenario.for_events(60_000, people=3_000, end_ms=END_MS)
    records, truth = play(scenario)
    assert 57_000 <= len(records) <= 63_000
    accepted = truth.bucket("accepted")
    share = {topic: 100 * sum(truth.types[topic].values()) / accepted for topic in SOURCES}
    wanted = {"session": 25, "impression": 35, "click": 22, "cart": 10, "order": 3, "journey-node": 5}
    assert all(abs(share[topic] - wanted[topic]) < 2.5 for topic in SOURCES), share
    assert truth.bucket("duplicate") == pytest.approx(0.02 * accepted, rel=0.15)
    # All kinds of events happen, but the login, which is off by default.
    assert {kind for kinds in truth.types.values() for kind in kinds} == {
        "started", "ended", "activity", "message", "support_joined", "experience_served", "goal_reached", "shown",
        "clicked", "detail_viewed", "added", "removed", "emptied", "captured", "canceled", "refunded",
        "node_entered", "notification_sent",
    }  # fmt: skip


def test_the_expected_count_is_near_the_real_one() -> None:
    records, _ = play(Scenario.ending(END_MS, days=30, stores=(StoreSpec(store_id="acme", people=600),)))
    expected = Scenario.ending(
        END_MS, days=30, stores=(StoreSpec(store_id="acme", people=600),)
    ).expected_records
    assert abs(len(records) - expected) < 0.06 * expected


def test_recommendations_lead_to_orders_in_the_same_visit_and_days_later() -> None:
    records, _ = play(msgspec.structs.replace(SMALL, days=14, rates=CLEAN))
    shown: defaultdict[tuple[bytes, str], list[int]] = defaultdict(list)
    gaps = []
    for record in records:
        value = orjson.loads(record.value)
        at = value["occurred_at"]
        if not isinstance(at, int):
            continue
        if value["type"] == "shown":
            for product in value["products"]:
                shown[record.key, product["product_id"]].append(at)
        elif value["type"] == "captured":
            seen = [shown[record.key, line["product_id"]] for line in value["lines"]]
            gaps += [at - times[0] for times in seen if times]
    assert sum(gap < HOUR_MS for gap in gaps) > 10
    assert sum(gap > DAY_MS for gap in gaps) > 10


def test_guests_log_in_only_if_asked_to() -> None:
    quiet, _ = play(SMALL)
    assert not any(value.get("type") == "identified" for value in objects(quiet))
    habits = Habits(login_rate=0.5)
    records, truth = play(msgspec.structs.replace(SMALL, habits=habits, rates=CLEAN))
    assert truth.types["session"]["identified"] > 10
    both: set[str] = set()
    for value in objects(records):
        if value["type"] == "identified":
            both.add(str(value["anonymous_id"]))
        elif value["type"] in ("shown", "clicked") and value.get("anonymous_id") in both:
            assert "customer_id" in value, "after the login events carry both ids"


def test_a_store_sleeps_at_night_in_its_own_zone() -> None:
    stores = (StoreSpec(store_id="sakura", zone="Asia/Tokyo", currency="JPY", people=2_000),)
    times = _times(objects(play(Scenario.ending(END_MS, days=2, stores=stores, rates=CLEAN))[0]))
    local = Counter((at // HOUR_MS + 9) % 24 for at in times)
    assert sum(local[hour] for hour in (20, 21, 22)) > 5 * sum(local[hour] for hour in (3, 4, 5))


def test_the_stores_file_declares_what_the_scenario_has() -> None:
    assert set(parse_stores(WORLD.stores_toml())) == set(WORLD.settings())
    assert parse_stores(WORLD.stores_toml())["souk.kw"].currency == "KWD"


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"rates": Rates(poison=1.5)}, "rates.poison"),
        ({"rates": Rates(late_bound_ms=24 * HOUR_MS)}, "24 h"),
        ({"stores": (StoreSpec(store_id="a", currency="XXX"),)}, "no prices in 'XXX'"),
        ({"stores": (StoreSpec(store_id="a", zone="Mars/Base"),)}, "no IANA time zone"),
        ({"stores": (StoreSpec(store_id="a"), StoreSpec(store_id="a"))}, "each store_id once"),
        ({"days": -1}, "days"),
    ],
)
def test_an_impossible_scenario_is_refused(fields: dict[str, object], complaint: str) -> None:
    with pytest.raises(ScenarioError, match=complaint):
        Scenario(**{"start_ms": END_MS, **fields})  # type: ignore[arg-type]


def test_stopping_early_leaves_a_truth_of_what_was_taken() -> None:
    truth = new_truth(SMALL)
    taken = list(islice(history(SMALL, truth, stamped_at_ms=STAMP_MS), 321))
    assert truth.records == len(taken) == 321
