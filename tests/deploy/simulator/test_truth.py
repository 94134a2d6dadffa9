"""The account of what must come out: settlement of orders by hand, buckets, going on from a file."""

from typing import Any

from deploy.simulator.truth import OrderDay, Truth
from tests.deploy.simulator.stories import WORLD, play

NOON = 1_772_366_400_000  # 2026-03-01T12:00Z
DAY = 86_400_000


def _truth(*events: tuple[int, str, tuple[Any, ...]]) -> dict[str, OrderDay]:
    """(event time, event id, note) in the order of arrival -> date -> figures."""
    truth = Truth(zones={"acme": "UTC"})
    for at_ms, event_id, note in events:
        body = {"type": note[0], "store_id": "acme", "event_id": event_id, "customer_id": "ann"}
        truth.accept("order", body, at_ms, note)
    return {date: day for (_, date, _), day in truth.order_days().items()}


def _captured(version: int = 1, total: int = 100, units: int = 2) -> tuple[Any, ...]:
    return ("captured", "o1", version, "EUR", total, units)


def test_refunds_and_the_cancel_take_in_turn_and_never_more_than_is_left() -> None:
    days = _truth(
        (NOON + 3 * DAY, "e4", ("refunded", "o1", "r2", 50)),
        (NOON + 2 * DAY, "e3", ("canceled", "o1")),
        (NOON + DAY, "e2", ("refunded", "o1", "r1", 30)),
        (NOON, "e1", _captured()),
        (NOON + 4 * DAY, "e5", ("canceled", "o1")),
    )
    assert days["2026-03-01"] == OrderDay(orders=1, units=2, revenue=100)
    assert days["2026-03-02"] == OrderDay(refunded_revenue=30)
    assert days["2026-03-03"] == OrderDay(canceled_orders=1, canceled_revenue=70)
    assert days["2026-03-04"] == OrderDay()
    assert sum(day.net_revenue for day in days.values()) == 0


def test_a_refund_in_the_ms_of_the_cancel_comes_first() -> None:
    days = _truth(
        (NOON, "e1", _captured()), (NOON, "e2", ("canceled", "o1")), (NOON, "e3", ("refunded", "o1", "r", 40))
    )
    assert (days["2026-03-01"].refunded_revenue, days["2026-03-01"].canceled_revenue) == (40, 60)


def test_the_highest_version_gives_the_money_and_the_first_capture_the_day() -> None:
    days = _truth(
        (NOON + 20 * DAY, "e3", _captured(version=3, total=70, units=1)),
        (NOON, "e1", _captured()),
        (NOON + 9 * DAY, "e2", _captured(version=2, total=500)),
        (NOON + DAY, "e4", ("refunded", "o1", "r1", 90)),
    )
    assert days["2026-03-01"] == OrderDay(orders=1, units=1, revenue=70)
    assert days["2026-03-02"] == OrderDay(refunded_revenue=70)


def test_the_same_version_or_refund_again_changes_nothing() -> None:
    days = _truth(
        (NOON, "e1", _captured()),
        (NOON + 5_000, "e2", _captured(total=999)),
        (NOON, "e4", ("refunded", "o1", "r1", 10)),
        (NOON, "e3", ("refunded", "o1", "r1", 20)),
    )
    assert days["2026-03-01"] == OrderDay(orders=1, units=2, revenue=100, refunded_revenue=20)


def test_a_refund_of_an_order_nobody_captured_counts_nowhere() -> None:
    assert _truth((NOON, "e1", ("refunded", "o1", "r1", 10)), (NOON, "e2", ("canceled", "o1"))) == {}


def test_only_the_first_capture_is_a_sign_of_its_session() -> None:
    truth = Truth(zones={"acme": "UTC"})
    body = {"type": "captured", "store_id": "acme", "customer_id": "ann"}
    truth.accept("order", body | {"event_id": "e1", "session_id": "s1"}, NOON, _captured())
    truth.accept("order", body | {"event_id": "e2", "session_id": "s2"}, NOON + DAY, _captured(version=2))
    assert list(truth.sessions["acme"]) == ["c:ann s1"]


def test_records_under_a_wrong_key_are_told() -> None:
    records, truth = play(WORLD)
    assert truth.misrouted > 100
    lost = sum(record.key.endswith(b"|lost") for record in records)
    assert lost == truth.misrouted


def test_buckets_add_up_to_the_records() -> None:
    records, truth = play(WORLD)
    summary = truth.summary()
    assert (
        sum(
            summary[name]
            for name in ("accepted", "duplicate", "test_traffic", "dead_letter", "late_candidate")
        )
        == (summary["records"])
    )
    assert summary["records"] == len(records)
    assert sum(sum(kinds.values()) for kinds in truth.types.values()) == summary["accepted"]
    assert all(0 <= row["active"] <= row["present"] <= row["with_id"] for row in summary["sessions"])
    assert min(day.net_revenue for day in truth.order_days().values()) < sum(
        day.net_revenue for day in truth.order_days().values()
    )


def test_an_account_goes_on_from_its_file() -> None:
    _, truth = play(WORLD)
    again = Truth.from_json(truth.to_json())
    assert again == truth
    assert again.summary() == truth.summary()
