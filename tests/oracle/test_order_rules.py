"""Credit, money and settlement at their edges (H50 to H57, H70 to H75), with the answer beside each story."""

from typing import Any

import pytest

from schemas.rows import OrderRow
from schemas.stores import Store
from tests.golden.cases import DAY, MINUTE, TEN, event
from tests.oracle.orders import spread
from tests.oracle.recompute import recompute
from tests.oracle.wire import Sent, raw_records

ANN = {"customer_id": "ann"}
WEEK = 7 * DAY


def order_of(*sent: Sent, store: Store | None = None) -> OrderRow:
    """The one order of these events."""
    (row,) = recompute(raw_records(sent), {"acme": store or Store()}).rows["orders"].values()
    assert isinstance(row, OrderRow)
    return row


def shown(
    at: int, widget: str = "W", product: str = "p1", position: int | None = None, name: str = ""
) -> Sent:
    products = [{"product_id": product, "position": position}]
    event_id = f"{name}{widget}{product}{position}{at}"
    return event("impression", "shown", at, **ANN, widget_id=widget, products=products, event_id=event_id)


def cart(kind: str, at: int, quantity: int = 1, product: str = "p1") -> Sent:
    fields = {} if kind == "emptied" else {"product_id": product, "quantity": quantity}
    return event("cart", kind, at, **ANN, **fields)


def captured(at: int, *prices: int | str, total: Any = None, **fields: Any) -> Sent:
    """An order of one unit each of p1, p2, ... in EUR; the total is the sum unless given."""
    lines = [{"product_id": f"p{n}", "quantity": 1, "unit_price": price} for n, price in enumerate(prices, 1)]
    total = sum(int(price) for price in prices) if total is None else total
    body = {"order_id": "o", "currency": "EUR", "lines": lines, "total": total, **ANN, **fields}
    return event("order", "captured", at, **body)


def refunded(at: int, refund_id: str, amount: Any, **fields: Any) -> Sent:
    body = {
        "order_id": "o",
        "refund_id": refund_id,
        "amount": amount,
        "event_id": f"{refund_id}-{at}",
        **fields,
    }
    return event("order", "refunded", at, **body)


def test_the_cart_is_replayed_from_zero() -> None:
    def credit(*steps: Sent) -> str:
        return order_of(shown(TEN), *steps, captured(TEN + 9, 5)).credit[0]

    assert credit(cart("added", TEN + 1)) == "direct"
    assert credit(cart("added", TEN + 1, 2), cart("removed", TEN + 2, 1)) == "direct"
    assert credit(cart("added", TEN + 1), cart("removed", TEN + 2, 5)) == "assisted"
    assert credit(cart("added", TEN + 1), cart("removed", TEN + 2, 5), cart("added", TEN + 3)) == "direct"
    assert credit(cart("added", TEN + 1), cart("emptied", TEN + 2)) == "assisted"
    # In one millisecond: emptied, removed, added.
    assert credit(cart("emptied", TEN + 1), cart("added", TEN + 1)) == "direct"
    assert credit(cart("added", TEN + 1, 1), cart("removed", TEN + 2), cart("added", TEN + 2)) == "direct"
    # At the order itself removals come after it, adds before.
    assert credit(cart("added", TEN + 1), cart("emptied", TEN + 9)) == "direct"
    assert credit(cart("added", TEN + 9)) == "direct"
    assert credit(cart("added", TEN + 10)) == "none"


def test_the_anchor_is_the_latest_impression_up_to_the_last_add() -> None:
    row = order_of(
        shown(TEN, "A"),
        shown(TEN + 1, "B"),
        cart("added", TEN + 1),
        shown(TEN + 2, "C"),
        captured(TEN + 3, 5),
    )
    assert (row.credit, row.widget_id, row.touch_at, row.touch_kind) == (
        ["direct"],
        ["B"],
        [TEN + 1],
        ["shown"],
    )


def test_ties_of_impressions() -> None:
    def widget(*seen: Sent) -> str:
        return order_of(*seen, cart("added", TEN), captured(TEN, 5)).widget_id[0]

    assert widget(shown(TEN, "A"), shown(TEN, "B", position=9)) == "B"  # no position comes last
    assert widget(shown(TEN, "A", position=1), shown(TEN, "B", position=0)) == "B"
    assert widget(shown(TEN, "B", position=1), shown(TEN, "A", position=1)) == "A"
    assert widget(shown(TEN - 1, "A", position=0), shown(TEN, "B", position=5)) == "B"


def test_the_window_is_a_week_inclusive_for_impression_and_for_interaction() -> None:
    assert order_of(shown(TEN), cart("added", TEN + 1), captured(TEN + WEEK, 5)).credit == ["direct"]
    row = order_of(shown(TEN), cart("added", TEN + 1), captured(TEN + WEEK + 1, 5))
    assert (row.credit, row.touch_at) == (["assisted"], [TEN + 1])
    # The interaction at the very start of the window, on an impression a whole window before it.
    row = order_of(shown(TEN), cart("added", TEN + WEEK, product="p1"), captured(TEN + 2 * WEEK, 5, 5))
    assert (row.credit, row.touch_kind) == (["assisted", "assisted"], ["added", "added"])
    row = order_of(shown(TEN), cart("added", TEN + WEEK + 1), captured(TEN + WEEK + 2, 5))
    assert (row.credit, row.has_interaction, row.exposure_only) == (["none"], 0, [0])
    row = order_of(shown(TEN), captured(TEN + WEEK, 5))
    assert (row.credit, row.exposure_only) == (["none"], [1])


def test_the_cart_step_and_the_impression_may_both_lie_on_the_windows_edge() -> None:
    assert order_of(shown(TEN), cart("added", TEN), captured(TEN + WEEK, 5)).credit == ["direct"]
    assert order_of(shown(TEN), cart("added", TEN), captured(TEN + WEEK + 1, 5)).credit == ["none"]


def test_exposure_only_means_shown_and_never_added() -> None:
    assert order_of(shown(TEN), captured(TEN + 2, 5)).exposure_only == [1]
    assert order_of(cart("added", TEN), shown(TEN + 1), captured(TEN + 2, 5)).exposure_only == [0]
    # Assisted by another product all the same (H75).
    row = order_of(
        shown(TEN), shown(TEN, product="q"), cart("added", TEN + 1, product="q"), captured(TEN + 2, 5)
    )
    assert (row.credit, row.exposure_only) == (["assisted"], [1])


def test_the_latest_interaction_and_whose_widget_it_was() -> None:
    def click(kind: str, at: int, product: str, widget: str | None = None) -> Sent:
        return event("click", kind, at, **ANN, product_id=product, widget_id=widget)

    def touch(*sent: Sent) -> tuple[str, str, str]:
        row = order_of(*sent, captured(TEN + 9, 5, order_id="o"))
        return row.touch_kind[0], row.touch_product[0], row.widget_id[0]

    seen = [shown(TEN, "A", "q"), shown(TEN + 1, "B", "q"), shown(TEN, "A", "r")]
    assert touch(*seen, click("clicked", TEN + 2, "q")) == ("clicked", "q", "B")
    assert touch(*seen, click("clicked", TEN + 2, "q", "A")) == ("clicked", "q", "A")
    assert touch(*seen, click("clicked", TEN + 2, "q", "Z")) == ("clicked", "q", "B")
    assert touch(*seen, click("clicked", TEN + 2, "q"), click("detail_viewed", TEN + 2, "r"))[1] == "r"
    assert touch(*seen, click("detail_viewed", TEN + 2, "r"), click("detail_viewed", TEN + 2, "q"))[1] == "q"
    assert (
        touch(*seen, click("detail_viewed", TEN + 2, "q"), cart("added", TEN + 2, product="r"))[0] == "added"
    )
    assert touch(*seen, cart("added", TEN + 2, product="q"), click("clicked", TEN + 3, "r"))[0] == "clicked"
    # A product that was never shown is no recommended product.
    assert touch(*seen, click("clicked", TEN + 2, "s")) == ("", "", "")


@pytest.mark.parametrize(
    ("amount", "weights", "shares"),
    [
        (1, [1, 1, 1], [1, 0, 0]),
        (1000, [3334, 3333, 3333], [334, 333, 333]),
        (2, [0, 0, 0], [1, 1, 0]),
        (5, [1, 2, 0], [2, 3, 0]),
        (0, [7], [0]),
    ],
)
def test_largest_remainder(amount: int, weights: list[int], shares: list[int]) -> None:
    assert spread(amount, weights) == shares


def test_lines_add_up_with_discount_surcharge_and_tax() -> None:
    # Values 1, 1, 1 and total 2: it is the discount that is spread, so the first line pays it.
    assert order_of(captured(TEN, "0.01", "0.01", "0.01", total="0.02")).paid == [0, 1, 1]
    assert order_of(captured(TEN, "0.01", "0.01", "0.01", total="0.04")).paid == [2, 1, 1]
    assert order_of(captured(TEN, 0, 0, 0, total="0.02")).paid == [1, 1, 0]
    taxed = captured(TEN, 10, 10, total=25, shipping=3, tax=2)
    assert order_of(taxed).paid == [1_000, 1_000]
    assert order_of(taxed, store=Store(tax_in_lines=True)).paid == [1_100, 1_100]


def test_versions_change_the_content_and_the_earliest_capture_the_rest() -> None:
    row = order_of(
        captured(TEN + 5, 5, order_version=2, event_id="b", session_id="late"),
        captured(TEN + 5, 6, order_version=2, event_id="a", session_id="late"),
        captured(TEN + 9, 7, order_version=1, event_id="c"),
        captured(TEN, 8, order_version=1, event_id="d", session_id="s", channel="app", customer_id="bob"),
    )
    assert (row.total, row.order_version) == (600, 2)
    assert (row.person, row.channel, row.session_key, row.captured_at) == ("c:bob", "app", "s:s", TEN)


def test_refunds_and_cancel_take_what_is_left_in_time_order() -> None:
    row = order_of(
        captured(TEN, 10, 20, total=35, shipping=5),
        event("order", "canceled", TEN + 5, order_id="o"),
        event("order", "canceled", TEN + 6, order_id="o"),
        refunded(TEN + 5, "b", 1),
        refunded(TEN + 5, "a", 33),
        refunded(TEN + 7, "c", 4),
        refunded(TEN - DAY, "early", "0.50"),
    )
    assert row.adjustment == ["refund", "refund", "refund", "cancel", "refund"]
    assert row.adjustment_id == ["early", "a", "b", "", "c"]
    # 35.00 - 0.50 - 33.00 - 1.00 leaves 0.50 to the cancel, nothing to the refund after it.
    assert row.adjustment_amount == [50, 3_300, 100, 50, 0]
    assert row.adjustment_date[0] == row.store_date - 1
    # 0.50 over 10.00 and 20.00: 16.67 and 33.33 cents. Then 33.00 takes all lines; shipping comes last.
    assert row.adjustment_lines == [[17, 33], [983, 1_967], [0, 0], [0, 0], [0, 0]]


def test_the_lines_of_a_refund() -> None:
    lines = [
        {"line_id": "x", "product_id": "p1", "quantity": 1, "unit_price": 10},
        {"line_id": "y", "product_id": "p2", "quantity": 1, "unit_price": 10},
        {"line_id": "z", "product_id": "p2", "quantity": 1, "unit_price": 10},
    ]
    order = captured(TEN, total=30, lines=lines)

    def taken(*parts: tuple[str | None, str, int]) -> list[int]:
        of = [
            {"line_id": line, "product_id": p, "quantity": 1, "amount": amount} for line, p, amount in parts
        ]
        return order_of(order, refunded(TEN, "r", 30, lines=of)).adjustment_lines[0]

    assert taken(("z", "p1", 4)) == [0, 0, 400]  # the line_id decides
    assert taken((None, "p2", 14)) == [0, 1_000, 400]
    assert taken(("unknown", "p2", 14)) == [0, 1_000, 400]
    assert taken(("y", "p2", 14)) == [0, 1_000, 0]  # what goes beyond the line reverses no credit
    assert taken(("y", "p2", 4), (None, "p2", 8)) == [0, 1_000, 200]


def test_refunds_that_are_not_applied() -> None:
    repeated = [refunded(TEN + 2, "r", 2), refunded(TEN + 1, "r", 1)]
    assert order_of(captured(TEN, 10), *repeated).adjustment_amount == [100]
    assert order_of(captured(TEN, 10), refunded(TEN + 1, "fine", "1.005")).adjustment == []
    assert order_of(captured(TEN, 10), refunded(TEN + 1, "fits", "1.0500")).adjustment_amount == [105]
    assert recompute(raw_records([refunded(TEN, "r", 1)]), {"acme": Store()}).rows["orders"] == {}


def test_a_later_version_after_a_cancel_stays_canceled() -> None:
    row = order_of(
        captured(TEN, 10),
        event("order", "canceled", TEN + MINUTE, order_id="o"),
        captured(TEN + 2 * MINUTE, 12, order_version=2, event_id="v2"),
    )
    assert (row.total, row.adjustment_amount, row.adjustment_lines) == (1_200, [1_200], [[1_200]])
