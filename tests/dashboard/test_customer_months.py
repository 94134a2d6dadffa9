"""Months of the customer base (M46 to M50) against values worked out by hand, on the real engine."""

from datetime import date
from fractions import Fraction
from typing import Any

import msgspec

from schemas.stores import Rfm
from tests.dashboard.asking import Desk
from tests.dashboard.base_kit import (
    STORE,
    WINDOW,
    ask,
    assisted_sales,
    bought,
    customer_base,
    ms,
    taken_back,
    told,
)
from tests.sinks.making import notification


async def test_quintiles_share_scores_among_equals(desk: Desk) -> None:
    # Ten customers: n buys on day 2n of February, n times over (all on that day), for n euros each time.
    # R: dates 2, 4, .. 20; c1 = 2nd value (4), c4 = 8th (16). R = 1: customers 1, 2. R = 5: 9, 10.
    # F: 1..10, the same order; M: n * n. So best = {9, 10}, lost = {1, 2}.
    rows = [
        bought(f"o{n}-{k}", f"c:{n}", f"2026-02-{2 * n:02}T10:0{k % 10}", 100 * n)
        for n in range(1, 11)
        for k in range(n)
    ]
    await desk.fill(*rows)
    february: dict[str, Any] = {"first": date(2026, 2, 10), "last": date(2026, 2, 11)}
    cells = await customer_base(desk.client, ask("2026-03-01T00:00", **february))
    assert told(cells, "best_customers") == {"2026-02": 2}
    assert told(cells, "lost_customers") == {"2026-02": 2}
    # Customers 3 to 8 buy on the day of customer 1: eight equal dates, c1 to c4 all are that date or later.
    # Ascending: 2 x 7 (1, 3..8), 4, 18, 20 -> c1 = 2nd = 2, c4 = 8th = 4: lost are seven, best still 9 and 10.
    tied = [
        msgspec.structs.replace(
            row, captured_at=ms("2026-02-02T12:00"), store_date=rows[0].store_date, version=2
        )
        for row in rows
        if row.person in {f"c:{n}" for n in range(3, 9)}
    ]
    await desk.fill(*tied)
    cells = await customer_base(desk.client, ask("2026-03-01T00:00", **february))
    assert told(cells, "lost_customers") == {"2026-02": 7}
    assert told(cells, "best_customers") == {"2026-02": 2}


async def test_one_customer_scores_one_and_money_is_in_the_currency_of_the_store(desk: Desk) -> None:
    february: dict[str, Any] = {"first": date(2026, 2, 10), "last": date(2026, 2, 11)}
    await desk.fill(bought("o1", "c:a", "2026-02-02T10:00"))
    cells = await customer_base(desk.client, ask("2026-03-10T12:00", **february))
    assert (told(cells, "best_customers"), told(cells, "lost_customers")) == ({"2026-02": 0}, {"2026-02": 1})
    # Five customers, one ahead in all: c4 is the 4th value. Her yen would put her ahead, her euros do not.
    await desk.fill(
        *(bought(f"p{n}", f"c:{n}", f"2026-02-0{n}T10:00", 100 * n) for n in range(1, 5)),
        bought("p8", "c:5", "2026-02-20T10:00", 90_000, currency="JPY", exponent=0),
        bought("p9", "c:5", "2026-02-21T10:00", 100),
        bought("o1", "c:a", "2026-02-02T10:00", version=2, is_deleted=1),
    )
    cells = await customer_base(desk.client, ask("2026-03-10T12:00", **february))
    assert told(cells, "best_customers") == {"2026-02": 0}
    await desk.fill(bought("p9", "c:5", "2026-02-21T10:00", 401, version=2))
    cells = await customer_base(desk.client, ask("2026-03-10T12:00", **february))
    assert told(cells, "best_customers") == {"2026-02": 1}


async def test_fixed_thresholds_score_by_days_receipts_and_money(desk: Desk) -> None:
    store = msgspec.structs.replace(
        STORE, rfm=Rfm("fixed", r_days=(5, 10, 20, 27), f=(2, 3, 4, 5), m=(1, 2, 3, 5000))
    )
    february: dict[str, Any] = {"first": date(2026, 2, 10), "last": date(2026, 2, 11), "store": store}
    five = [bought(f"a{n}", "c:a", f"2026-02-{19 + n}T10:00") for n in range(5)]  # last on the 23rd: 5 days
    await desk.fill(
        *five,
        *(bought(f"b{n}", "c:b", f"2026-02-{18 + n}T10:00") for n in range(5)),  # 6 days
        bought("c0", "c:c", "2026-02-01T10:00"),  # 27 days: scores 2
        bought("d0", "c:d", "2026-01-31T10:00"),  # 28 days: scores 1
    )
    cells = await customer_base(desk.client, ask("2026-03-10T12:00", **february))
    assert (told(cells, "best_customers"), told(cells, "lost_customers")) == ({"2026-02": 1}, {"2026-02": 1})
    # A refund in March does not change February (H115); one in February takes the money below the threshold.
    for day, best in (("2026-03-01T00:00", 1), ("2026-02-28T23:59:59.999", 0)):
        changed = taken_back(("refund", day, 1, 1))
        await desk.fill(bought("a0", "c:a", "2026-02-19T10:00", version=2 + (best == 0), **changed))
        cells = await customer_base(desk.client, ask("2026-03-10T12:00", **february))
        assert told(cells, "best_customers") == {"2026-02": best}


async def test_repeat_share_golden_case_twelve(desk: Desk) -> None:
    # Nine buyers in February, eight of them had bought before: 88.89 %. A hundred customers: 8.00 % of the base.
    await desk.fill(
        *(bought(f"f{n}", f"c:{n}", "2026-02-10T10:00") for n in range(9)),
        *(
            bought(f"j{n}", f"c:{n}", "2024-01-10T10:00") for n in range(8)
        ),  # older than the base period: counts
        *(bought(f"x{n}", f"c:x{n}", "2025-11-10T10:00") for n in range(91)),
        # The ninth's second receipt is of March: February is not told (E34).
        bought("m8", "c:8", "2026-03-01T00:00"),
    )
    months: dict[str, Any] = {"first": date(2026, 2, 1), "last": date(2026, 3, 5)}
    cells = await customer_base(desk.client, ask("2026-03-10T07:00", **months))
    share = told(cells, "repeat_purchase_share")
    assert share == {"2026-02": Fraction(800, 9), "2026-03": 100}
    assert told(cells, "repeat_purchase_share_of_base") == {"2026-02": 8, "2026-03": 9}
    february, march = (value for value in cells if value.metric == "repeat_purchase_share")
    assert (february.numerator, february.denominator) == (8, 9)
    assert (february.is_provisional, february.matures_at) == (False, None)
    assert (march.is_provisional, march.matures_at) == (True, ms("2026-04-01T00:00"))


async def test_receipts_with_a_communication_in_the_window_before_are_assisted(desk: Desk) -> None:
    at = ms("2026-02-10T10:00")
    await desk.fill(
        bought("o1", "c:edge", "2026-02-10T10:00", 1000),
        notification("n1", "c:edge", sent_at=at - WINDOW),  # inclusive
        bought("o2", "c:late", "2026-02-10T10:00", 2000),
        notification("n2", "c:late", sent_at=at - WINDOW - 1),
        bought("o3", "c:same", "2026-02-10T10:00", 4000),
        notification("n3", "c:same", sent_at=at),  # in the same millisecond
        bought("o4", "c:after", "2026-02-10T10:00", 8000),
        notification("n4", "c:after", sent_at=at + 1),
        bought("o5", "a:guest", "2026-02-10T10:00"),
        notification("n5", "a:guest", sent_at=at - 1),
        # Sent again later: it is the message of its first sending, which was too long ago (H90).
        bought("o6", "c:again", "2026-02-10T10:00", 16000),
        notification("n6", "c:again", sent_at=at - WINDOW - 1, event_id="first"),
        notification("n6", "c:again", sent_at=at - 1, event_id="second"),
        # However long ago that was.
        bought("o8", "c:long", "2026-02-10T10:00", 64000),
        notification("n8", "c:long", sent_at=at - 12 * WINDOW, event_id="first"),
        notification("n8", "c:long", sent_at=at - 1, event_id="second"),
        # First sent to another person: not this one's.
        bought("o7", "c:other", "2026-02-10T10:00", 32000),
        notification("n7", "c:somebody", sent_at=at - 2),
        notification("n7", "c:other", sent_at=at - 1),
    )
    cells = await assisted_sales(desk.client, ask("2026-03-10T07:00", first=date(2026, 2, 1)))
    assert told(cells, "assisted_receipts") == {"2026-02": 2, "2026-03": 0}
    assert told(cells, "regular_receipts") == {"2026-02": 5, "2026-03": 0}
    assert told(cells, "assisted_amount") == {"2026-02|EUR": 5000, "2026-03|EUR": 0}
    assert told(cells, "regular_amount") == {"2026-02|EUR": 122000, "2026-03|EUR": 0}


async def test_a_month_is_itself_after_more_than_two_decades(desk: Desk) -> None:
    most = 10**15 - 1
    # Ten thousand orders of the largest amount there may be do not fit into 64 bits.
    await desk.fill(*[bought(f"o{n}", f"c:{n}", "2026-02-02T10:00", most) for n in range(10_000)])
    since: dict[str, Any] = {"first": date(2000, 1, 1), "last": date(2026, 2, 28)}
    cells = await assisted_sales(desk.client, ask("2026-03-01T00:00", **since))
    assert {month: n for month, n in told(cells, "regular_receipts").items() if n} == {"2026-02": 10_000}
    assert told(cells, "regular_amount")["2026-02|EUR"] == 10_000 * most


async def test_what_receipts_of_a_month_add_up_to_may_be_more_than_64_bits_hold(desk: Desk) -> None:
    huge = 4 * 10**18
    await desk.fill(
        *(bought(f"o{n}", "c:a", "2026-02-10T10:00", huge) for n in range(3)),
        notification("n1", "c:a", sent_at=ms("2026-02-10T09:00")),
        *(bought(f"r{n}", "c:b", "2026-02-10T10:00", huge) for n in range(3)),
    )
    february: dict[str, Any] = {"first": date(2026, 2, 1), "last": date(2026, 2, 1)}
    cells = await assisted_sales(desk.client, ask("2026-03-10T07:00", **february))
    for name in ("assisted_amount", "regular_amount"):
        assert told(cells, name) == {"2026-02|EUR": 3 * huge}


async def test_assisted_receipts_are_told_apart_by_the_latest_communication(desk: Desk) -> None:
    at = ms("2026-02-10T10:00")
    await desk.fill(
        bought("o1", "c:a", "2026-02-10T10:00", 1000, **taken_back(("refund", "2026-02-11T10:00", 300, 300))),
        notification("n1", "c:a", sent_at=at - 50, notification_channel="sms"),
        notification("n3", "c:a", sent_at=at - 5, notification_channel="sms"),
        notification("n2", "c:a", sent_at=at - 5, notification_channel="push", journey_id="win-back"),
        bought("o2", "c:b", "2026-02-10T10:00", 2000, currency="JPY", exponent=0, channel="app"),
        notification("n4", "c:b", sent_at=at - 5),
        bought("o3", "c:c", "2026-02-10T10:00", 4000),
    )
    period: dict[str, Any] = {"first": date(2026, 2, 1), "last": date(2026, 2, 1)}
    cells = await assisted_sales(desk.client, ask("2026-03-10T07:00", by=("notification_channel",), **period))
    assert told(cells, "assisted_receipts") == {"2026-02|email": 1, "2026-02|push": 1}
    assert told(cells, "assisted_amount") == {
        "2026-02|email|EUR": 0, "2026-02|email|JPY": 2000, "2026-02|push|EUR": 700, "2026-02|push|JPY": 0,
    }  # fmt: skip
    assert told(cells, "regular_receipts") == {}
    cells = await assisted_sales(desk.client, ask("2026-03-10T07:00", by=("journey_id",), **period))
    assert told(cells, "assisted_receipts") == {"2026-02|welcome": 1, "2026-02|win-back": 1}
    cells = await assisted_sales(desk.client, ask("2026-03-10T07:00", by=("channel",), **period))
    assert told(cells, "assisted_receipts") == {"2026-02|app": 1, "2026-02|web": 1}
    assert told(cells, "regular_receipts") == {"2026-02|app": 0, "2026-02|web": 1}
    cells = await assisted_sales(desk.client, ask("2026-03-10T07:00", channel="app", **period))
    assert told(cells, "assisted_amount") == {"2026-02|EUR": 0, "2026-02|JPY": 2000}
