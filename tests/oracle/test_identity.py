"""Whose an event is, at the edges of the links (H20 to H25)."""

from typing import Any

from schemas.stores import Store
from tests.golden.cases import DAY, MINUTE, TEN, event
from tests.oracle.recompute import recompute
from tests.oracle.wire import Sent, raw_records

DEVICE = {"anonymous_id": "x"}
WINDOW = 7 * DAY
BOUGHT = {"currency": "EUR", "lines": [{"product_id": "p1", "quantity": 1, "unit_price": 1}], "total": 1}


def active(at: int, **who: str) -> Sent:
    """A sign of somebody, each in a session of its own."""
    return event("session", "activity", at, session_id=f"s-{at}-{'-'.join(who)}", **who)


def login(at: int, customer_id: str, **fields: Any) -> Sent:
    """Device x is this customer from here on."""
    return event(
        "session", "identified", at, customer_id=customer_id, **{**DEVICE, "session_id": "login", **fields}
    )


def persons(*sent: Sent, store: Store | None = None) -> dict[int, str]:
    """Start of each session but the logins -> its person."""
    rows = recompute(raw_records(sent), {"acme": store or Store()}).rows["sessions"].values()
    return {row.started_at - TEN: row.person for row in rows if row.session_key != "s:login"}


def test_the_past_of_a_device_goes_to_the_first_login_within_the_window() -> None:
    events = [active(TEN + at, **DEVICE) for at in (-1, 0, 1)]
    assert persons(*events, login(TEN + WINDOW, "ann")) == {-1: "a:x", 0: "c:ann", 1: "c:ann"}
    short = Store(attribution_window_ms=DAY)
    assert persons(*events, login(TEN + DAY, "ann"), store=short) == {-1: "a:x", 0: "c:ann", 1: "c:ann"}


def test_a_link_holds_for_ever_until_another_customer_takes_the_device() -> None:
    year = 365 * DAY
    found = persons(
        login(TEN, "ann"),
        active(TEN + year, **DEVICE),
        login(TEN + year + 5, "bob"),
        active(TEN + year + 4, **DEVICE),
        active(TEN + year + 5, **DEVICE),
        login(TEN + year + 9, "ann"),
        active(TEN + year + 10, **DEVICE),
    )
    assert found == {year: "c:ann", year + 4: "c:ann", year + 5: "c:bob", year + 10: "c:ann"}


def test_the_past_is_the_first_customers_even_if_another_logs_in_within_the_window() -> None:
    assert persons(active(TEN, **DEVICE), login(TEN + 1, "zoe"), login(TEN + 2, "ann")) == {0: "c:zoe"}


def test_of_two_links_in_a_millisecond_the_smallest_customer_is_the_only_one() -> None:
    found = persons(
        login(TEN, "bob"),
        login(TEN, "Zoe"),
        active(TEN + 1, **DEVICE),
        active(TEN - 1, **DEVICE),
    )
    assert found == {1: "c:Zoe", -1: "c:Zoe"}  # by code points


def test_every_event_with_both_ids_links_but_what_happens_to_an_order_later() -> None:
    both = {**DEVICE, "customer_id": "ann"}
    shown = event("impression", "shown", TEN, **both, widget_id="W", products=[{"product_id": "p"}])
    assert persons(shown, active(TEN + MINUTE * 60, **DEVICE))[60 * MINUTE] == "c:ann"
    canceled = event("order", "canceled", TEN, **both, order_id="o")
    assert persons(canceled, active(TEN + 1, **DEVICE)) == {1: "a:x"}
    node = event("journey-node", "started", TEN, **both, journey_id="j", execution_id="e")
    assert persons(node, active(TEN + 1, **DEVICE)) == {1: "c:ann"}


def test_test_traffic_links_nobody() -> None:
    assert persons(login(TEN, "ann", is_test=True), active(TEN + 1, **DEVICE)) == {1: "a:x"}


def test_one_session_id_is_two_sessions_when_two_customers_share_the_device() -> None:
    rows = recompute(
        raw_records(
            [
                event("session", "activity", TEN, **DEVICE, session_id="s"),
                login(TEN + 1, "ann", session_id="s"),
                login(TEN + 2, "bob", session_id="s"),
                event("session", "activity", TEN + 3, **DEVICE, session_id="s"),
            ]
        ),
        {"acme": Store()},
    ).rows["sessions"]
    assert {key[1]: (row.started_at - TEN, row.ended_at - TEN) for key, row in rows.items()} == {
        "c:ann": (0, 1),
        "c:bob": (2, 3),
    }


def test_a_guest_order_with_its_impression_becomes_the_customers() -> None:
    rows = recompute(
        raw_records(
            [
                event("impression", "shown", TEN, **DEVICE, widget_id="W", products=[{"product_id": "p1"}]),
                event("cart", "added", TEN + 1, **DEVICE, product_id="p1", quantity=1),
                event("order", "captured", TEN + 2, **DEVICE, order_id="o", **BOUGHT),
                login(TEN + 2 + WINDOW, "ann"),
            ]
        ),
        {"acme": Store()},
    ).rows
    order = rows["orders"]["acme", "o"]
    # The impression is 7 days and 2 ms before the login: it stays the device's, and earns the customer nothing.
    assert (order.person, order.credit, order.session_key) == ("c:ann", ["none"], "")
    assert {key[1] for key in rows["exposures"]} == {"a:x"}
