"""Sessions at their edges (H30 to H42, H76, H77), small stories with the answer beside them."""

from typing import Any

from schemas.rows import SessionRow
from schemas.stores import Store
from tests.golden.cases import DAY, MINUTE, TEN, event
from tests.oracle.recompute import recompute
from tests.oracle.records import Rows
from tests.oracle.wire import Sent, raw_records

ANN = {"customer_id": "ann"}
SHOWN = {"widget_id": "W", "products": [{"product_id": "p1"}]}
BOUGHT = {"currency": "EUR", "lines": [{"product_id": "p1", "quantity": 1, "unit_price": 1}], "total": 1}


def rows_of(*sent: Sent, store: Store | None = None) -> Rows:
    """The rows of events of store acme."""
    return recompute(raw_records(sent), {"acme": store or Store()}).rows


def sessions_of(*sent: Sent, store: Store | None = None) -> dict[tuple[str, str], SessionRow]:
    """(person, key) -> session."""
    return {(row.person, row.session_key): row for row in rows_of(*sent, store=store)["sessions"].values()}


def bought(at: int, order_id: str = "o1", /, **fields: Any) -> Sent:
    """A capture of one p1."""
    return event("order", "captured", at, **{"order_id": order_id, **ANN, **BOUGHT, **fields})


def test_one_id_of_two_persons_is_two_sessions_and_of_two_channels_one() -> None:
    found = sessions_of(
        event("session", "activity", TEN, **ANN, session_id="s", channel="app"),
        event("session", "activity", TEN + 7 * DAY, **ANN, session_id="s"),
        event("session", "activity", TEN, anonymous_id="ann", session_id="s"),
    )
    assert set(found) == {("c:ann", "s:s"), ("a:ann", "s:s")}
    assert found["c:ann", "s:s"].channel == "app"
    assert found["c:ann", "s:s"].activities == 2


def test_the_earliest_event_is_by_topic_then_by_id() -> None:
    click = event("click", "clicked", TEN, **ANN, session_id="s", product_id="p1", channel="b")
    cart = event("cart", "emptied", TEN, **ANN, session_id="s", channel="a", context={"device": "phone"})
    assert sessions_of(cart, click)["c:ann", "s:s"].channel == "b"
    assert sessions_of(cart, click)["c:ann", "s:s"].device == "phone"


def test_the_gap_cuts_beyond_the_timeout_of_the_channel() -> None:
    store = Store(channel_session_timeout_ms={"app": MINUTE})
    for gap, count in ((MINUTE, 1), (MINUTE + 1, 2)):
        found = sessions_of(
            event("session", "ended", TEN, **ANN, channel="app"),
            event("session", "message", TEN + gap, **ANN, channel="app", direction="out"),
            store=store,
        )
        assert len(found) == count


def test_present_and_active_are_two_notions() -> None:
    def flags(topic: str, kind: str, **fields: Any) -> tuple[int, int]:
        (row,) = sessions_of(event(topic, kind, TEN, **ANN, **fields)).values()
        return row.present, row.active

    for kind in ("ended", "support_joined"):
        assert flags("session", kind) == (0, 0)
    assert flags("session", "message", direction="out") == (0, 0)
    assert flags("session", "started") == (1, 0)
    assert flags("session", "experience_served", experience_id="e") == (1, 0)
    assert flags("impression", "shown", **SHOWN) == (1, 0)
    assert flags("session", "message", direction="in") == (1, 1)
    assert flags("cart", "emptied") == (1, 1)


def test_a_capture_without_id_joins_the_open_session_that_started_last() -> None:
    made = event("session", "activity", TEN, **ANN)
    given = event("session", "activity", TEN, **ANN, session_id="s")
    other_channel = event("session", "activity", TEN + MINUTE, **ANN, channel="app")
    rows = rows_of(made, given, other_channel, bought(TEN + 30 * MINUTE))
    assert (
        rows["orders"]["acme", "o1"].session_key == "s:s"
    )  # a tie: the producer's session before the made one
    rows = rows_of(made, bought(TEN + 30 * MINUTE + 1), bought(TEN - 1, "o2"))
    assert [row.session_key for row in rows["orders"].values()] == ["", ""]


def test_a_joined_order_does_not_hold_the_door_for_the_next_one() -> None:
    rows = rows_of(
        event("session", "message", TEN, **ANN, direction="out"),
        bought(TEN + 30 * MINUTE),
        bought(TEN + 31 * MINUTE, "o2"),
    )
    (session,) = rows["sessions"].values()
    assert (session.orders, session.ended_at, session.closes_at) == (1, TEN, TEN + 60 * MINUTE)
    assert (session.present, session.active) == (1, 1)
    assert rows["orders"]["acme", "o2"].session_key == ""


def test_only_the_first_capture_belongs_to_a_session() -> None:
    later = bought(TEN + MINUTE, session_id="s2", order_version=2, event_id="later")
    first = bought(TEN, session_id="s1", order_version=1, event_id="first")
    assert set(sessions_of(later)) == {("c:ann", "s:s2")}
    assert set(sessions_of(later, first)) == {("c:ann", "s:s1")}


def test_viewed_needs_the_impression_in_the_same_session_and_its_widget() -> None:
    shown = event("impression", "shown", TEN, **ANN, session_id="s", **SHOWN)

    def viewed(at: int, **fields: Any) -> tuple[int, int]:
        rows = rows_of(shown, event("click", "detail_viewed", at, **ANN, **{"session_id": "s", **fields}))
        (exposure,) = rows["exposures"].values()
        return rows["sessions"]["acme", "c:ann", "s:s"].viewed, exposure.viewed

    assert viewed(TEN, product_id="p1") == (1, 1)
    assert viewed(TEN, product_id="p1", widget_id="W") == (1, 1)
    assert viewed(TEN, product_id="p1", widget_id="V") == (1, 0)
    assert viewed(TEN - 1, product_id="p1") == (0, 0)
    assert viewed(TEN, product_id="p2") == (0, 0)
    assert viewed(TEN, product_id="p1", session_id="t") == (0, 0)


def test_every_exposing_session_up_to_the_add_converts() -> None:
    rows = rows_of(
        event("impression", "shown", TEN, **ANN, session_id="first", **SHOWN),
        event("impression", "shown", TEN + MINUTE, **ANN, session_id="second", **SHOWN),
        event("cart", "added", TEN + 2 * MINUTE, **ANN, session_id="third", product_id="p1", quantity=1),
        event("impression", "shown", TEN + 3 * MINUTE, **ANN, session_id="after the add", **SHOWN),
        bought(TEN + 4 * MINUTE, session_id="third"),
    )
    (order,) = rows["orders"].values()
    assert (order.exposed_session, order.exposed_widget) == (["s:first", "s:second"], ["W", "W"])


def test_an_exposure_lists_its_dates_by_channel() -> None:
    rows = rows_of(
        event("impression", "shown", TEN, **ANN, session_id="s", strategy="b", **SHOWN),
        event("impression", "shown", TEN + DAY, **ANN, session_id="s", strategy="a", **SHOWN),
        event("impression", "shown", TEN + DAY + 1, **ANN, session_id="s", channel="app", **SHOWN),
        store=Store(zone="Pacific/Auckland"),  # 13 hours ahead: 10:00Z is 23:00 of the same day
    )
    (row,) = rows["exposures"].values()
    assert (row.shown_dates, row.shown_channels) == ([20_454, 20_455, 20_455], ["web", "app", "web"])
    assert row.shown_at == [TEN, TEN + DAY + 1, TEN + DAY]
    assert (row.strategies, row.placements, row.impressions) == (["a", "b"], [], 3)
    assert (row.first_shown_at, row.last_shown_at) == (TEN, TEN + DAY + 1)


def test_live_windows_hold_only_what_came_within_two_hours() -> None:
    def sizes(delay: int) -> list[int]:
        sent = event("session", "activity", TEN + 59_999, **ANN)._replace(timestamp_ms=TEN + 59_999 + delay)
        return [row.window_seconds for row in rows_of(sent)["counters"].values() if row.window_start == TEN]

    assert sizes(120 * MINUTE) == [900, 60]
    assert sizes(120 * MINUTE + 1) == [900]
