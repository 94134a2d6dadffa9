"""The customer base over more months than one query holds."""

from datetime import date
from typing import Any

import pytest

from dashboard import customers
from tests.dashboard.asking import Desk
from tests.dashboard.base_kit import ask, bought, customer_base, told

AS_OF = "2026-03-10T07:00"
# 315 months, of which 314 are over.
ALL: dict[str, Any] = {"first": date(2000, 1, 1), "last": date(2026, 3, 9)}


@pytest.fixture
async def filled(desk: Desk) -> Desk:
    """A receipt in the first month, one in the 258th, and its customer's second in the 314th."""
    await desk.fill(
        bought("o1", "c:a", "2000-01-10T10:00", 1000),
        bought("o2", "c:b", "2021-06-10T10:00", 2000),
        bought("o3", "c:b", "2026-02-10T10:00", 4000),
    )
    return desk


async def test_the_base_is_told_of_every_month_since_2000(filled: Desk) -> None:
    values = await customer_base(filled.client, ask(AS_OF, **ALL))
    shares = told(values, "repeat_purchase_share")
    assert {month: share for month, share in shares.items() if share is not None} == {
        "2000-01": 0, "2021-06": 0, "2026-02": 100,
    }  # fmt: skip
    # One customer scores 1 for as long as the receipt is in the base period.
    lost = told(values, "lost_customers")
    assert [month for month, count in lost.items() if count] == [
        *(f"2000-{month:02}" for month in range(1, 13)),
        *(f"2021-{month:02}" for month in range(6, 13)),
        *(f"2022-{month:02}" for month in range(1, 6)),
        "2026-02",
    ]
    assert (len(lost), lost["2026-03"]) == (315, None)
    assert told(values, "one_receipt_customers") == {"": 1}


async def test_months_of_several_queries_are_those_of_one(
    filled: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled.fill(bought("o4", "c:a", "2025-12-10T10:00", channel="app"))
    year: dict[str, Any] = {"first": date(2025, 4, 1), "last": date(2026, 3, 9)}
    for by in ((), ("channel",)):
        whole = await customer_base(filled.client, ask(AS_OF, **year, by=by))
        with monkeypatch.context() as patch:
            patch.setattr(customers, "SCORED_AT_ONCE", 2)
            assert await customer_base(filled.client, ask(AS_OF, **year, by=by)) == whole
