"""What an order says of made sessions when a late event, no touch itself, gives them another key."""

import pytest

from schemas.stores import Store
from tests.driver import PipelineDriver
from tests.golden.cases import MINUTE, TEN, event
from tests.oracle.recompute import recompute
from tests.oracle.wire import Sent, raw_records
from tests.worlds import compare

STORES = {"acme": Store()}
ANN = {"customer_id": "ann"}
P1 = [{"product_id": "p1"}]
BOUGHT = {"currency": "EUR", "lines": [{"product_id": "p1", "quantity": 1, "unit_price": 1}], "total": 1}


def stay(at: int) -> Sent:
    """An event that touches nothing."""
    return event("session", "activity", at, **ANN)


@pytest.mark.parametrize(
    ("late", "keys"),
    [
        ([TEN - 20 * MINUTE], [TEN - 20 * MINUTE, TEN + 50 * MINUTE]),  # the first begins earlier
        ([TEN + 25 * MINUTE], [TEN]),  # the two become one
        ([TEN + 25 * MINUTE, TEN - MINUTE], [TEN - MINUTE]),  # and then begin earlier
    ],
)
def test_an_order_confirms_made_sessions_by_the_keys_they_have_in_the_end(
    late: list[int], keys: list[int]
) -> None:
    driver = PipelineDriver(STORES)
    events = [
        event("impression", "shown", TEN, **ANN, widget_id="W", products=P1),
        event("impression", "shown", TEN + 50 * MINUTE, **ANN, widget_id="W", products=P1),
        event("cart", "added", TEN + 51 * MINUTE, **ANN, product_id="p1", quantity=1),
        event("order", "captured", TEN + 200 * MINUTE, **ANN, order_id="o1", **BOUGHT),
    ]
    driver.pipe(raw_records(events))
    (order,) = driver.rows()["orders"].values()
    assert order.exposed_session == [f"g:web:{TEN}", f"g:web:{TEN + 50 * MINUTE}"]
    for at in late:
        events.append(stay(at))
        driver.pipe(raw_records(events))  # all of it again: what has come before is a repeat
        driver.crash()
    (order,) = driver.rows()["orders"].values()
    assert order.exposed_session == [f"g:web:{start}" for start in keys]
    assert not compare(driver.rows(), recompute(raw_records(events), STORES).rows)
