"""A bug of ours ends the worker, and the line says which record or event it met: who reads it must be able to skip it."""

from typing import Any

import pytest

from processors import pipeline
from processors.orderbook import OrderBook
from schemas.events.decode import decode
from tests.driver import PipelineDriver
from tests.oracle.records import RawRecord
from tests.processors.kit import MINUTE, START, STORES, record


def page_view(number: int) -> RawRecord:
    return record(
        "session",
        {
            "event_id": f"e-{number}",
            "type": "activity",
            "name": "page_view",
            "store_id": "acme",
            "occurred_at": START + number * MINUTE,
            "customer_id": "ann",
            "session_id": "s-1",
        },
    )


@pytest.mark.parametrize("broken", [0, 2, 4])
def test_a_record_that_cannot_be_judged_is_named_by_its_offset(
    broken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    met = b'"e-%d"' % broken

    def fails_at_one(topic: str, value: bytes, stores: Any) -> Any:
        return 1 // 0 if met in value else decode(topic, value, stores)

    monkeypatch.setattr(pipeline, "decode", fails_at_one)
    driver = PipelineDriver(STORES)
    with pytest.raises(ZeroDivisionError) as caught:
        driver.pipe([page_view(number) for number in range(5)], chunk=5)
    assert caught.value.__notes__ == [f"offset {broken}"]


def test_an_event_that_cannot_be_lived_through_is_named_by_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(OrderBook, "captured", fails)
    captured = record(
        "order",
        {
            "event_id": "e-o",
            "type": "captured",
            "store_id": "acme",
            "occurred_at": START + 9 * MINUTE,
            "customer_id": "ann",
            "session_id": "s-1",
            "order_id": "o-1",
            "order_version": 1,
            "currency": "JPY",
            "lines": [{"line_id": "1", "product_id": "p-1", "quantity": 1, "unit_price": 100}],
            "shipping": 0,
            "tax": 0,
            "total": 100,
        },
    )
    driver = PipelineDriver(STORES)
    driver.pipe([page_view(1), captured, page_view(20)], commit=False)
    with pytest.raises(ZeroDivisionError) as caught:
        driver.commit()
    assert caught.value.__notes__ == ["OrderCaptured 'e-o'"]
