"""Snapshots of the customer base (M43 to M45) against values worked out by hand, on the real engine."""

from datetime import UTC, date, datetime
from fractions import Fraction

from dashboard.customers import customer_values, slots_of, snapshot_instant
from dashboard.periods import Clock
from tests.dashboard.asking import Desk
from tests.dashboard.base_kit import NAMES, ask, assisted_sales, bought, customer_base, ms, taken_back, told


def test_snapshots_are_taken_four_times_a_day_in_store_time() -> None:
    clock = Clock("Europe/Madrid")
    assert snapshot_instant(clock, ms("2026-03-10T05:59:59.999")) == ms("2026-03-10T00:00")
    assert snapshot_instant(clock, ms("2026-03-10T06:00")) == ms("2026-03-10T06:00")
    assert snapshot_instant(clock, ms("2026-03-10T23:00")) == ms("2026-03-10T18:00")
    # The clocks went forward at 02:00: 06:00 is five hours after midnight.
    assert snapshot_instant(clock, ms("2026-03-29T06:10")) - ms("2026-03-29T00:00") == 5 * 3_600_000


def test_months_that_the_period_touches_are_whole_and_the_running_one_is_as_of_the_snapshot() -> None:
    _, months = slots_of(ask("2026-03-10T09:30", first=date(2026, 1, 31), last=date(2026, 3, 9)))
    assert [slot.month for slot in months] == [date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)]
    assert [slot.scored for slot in months] == [True, True, False]
    assert [slot.as_of for slot in months] == [
        ms("2026-02-01T00:00"),
        ms("2026-03-01T00:00"),
        ms("2026-03-10T06:00"),
    ]
    assert months[1].base_from == date(2025, 3, 1)  # 365 dates that end with 28 February
    assert slots_of(ask("2026-03-01T00:00", first=None, last=None))[1] == []


async def test_recency_counts_whole_calendar_months(desk: Desk) -> None:
    await desk.fill(
        bought("o1", "c:today", "2026-03-31T05:00"),
        bought("o2", "c:a", "2026-02-28T23:59"),  # 28 February to 31 March: one month
        bought("o3", "c:b", "2026-02-01T10:00"),  # one
        bought("o4", "c:c", "2025-12-31T10:00"),  # three
        bought("o5", "c:c", "2025-06-30T10:00"),  # only the last receipt counts
        bought("o6", "c:d", "2025-04-30T10:00"),  # eleven
        bought("o7", "c:e", "2025-04-01T00:00"),  # 31 March - 364 days: the first date of the base period
        bought("o8", "c:out", "2025-03-31T23:59"),  # before it
        bought("o9", "a:guest", "2026-03-30T10:00"),
        bought("o10", "c:late", "2026-03-31T06:00"),  # at the snapshot instant: not yet
    )
    cells = await customer_base(desk.client, ask("2026-03-31T11:59"))
    assert told(cells, "customers_by_recency") == {"0-1": 1, "1-3": 2, "3-7": 1, "7-11": 0, "11-12": 2}
    cells = await customer_base(desk.client, ask("2026-03-31T11:59", by=("recency_months",)))
    by_month = told(cells, "customers_by_recency")
    assert {month: count for month, count in by_month.items() if count} == {"0": 1, "1": 2, "3": 1, "11": 2}
    assert list(by_month) == [str(month) for month in range(12)]


async def test_a_month_is_not_whole_before_its_day(desk: Desk) -> None:
    await desk.fill(bought("o1", "c:a", "2026-01-31T10:00"), bought("o2", "c:b", "2026-01-28T10:00"))
    cells = await customer_base(desk.client, ask("2026-02-28T12:00", by=("recency_months",)))
    assert {month: count for month, count in told(cells, "customers_by_recency").items() if count} == {
        "0": 1,
        "1": 1,
    }


async def test_what_is_a_receipt_depends_on_when_it_is_looked_at(desk: Desk) -> None:
    await desk.fill(
        bought("o1", "c:canceled", "2026-03-01T10:00", **taken_back(("cancel", "2026-03-05T00:00", 1000, 1000))),
        # Shipping need not come back: the goods did.
        bought(
            "o2", "c:returned", "2026-03-01T10:00", 1500, extra=500,
            **taken_back(("refund", "2026-03-03T10:00", 400, 400), ("refund", "2026-03-05T00:00", 600, 600)),
        ),
        bought("o3", "c:partly", "2026-03-01T10:00", **taken_back(("refund", "2026-03-05T00:00", 400, 400))),
        bought("o4", "c:gift", "2026-03-01T10:00", 0),
        # What cost nothing can't be returned: it stays a receipt when its postage comes back.
        bought(
            "o5", "c:postage", "2026-03-01T10:00", 500, extra=500,
            **taken_back(("refund", "2026-03-03T10:00", 500, 0)),
        ),
    )  # fmt: skip
    # At the very instant nothing is taken back yet: only what came before it counts.
    before = await customer_base(desk.client, ask("2026-03-05T00:00"))
    assert told(before, "one_receipt_customers") == {"": 5}
    assert told(before, "one_receipt_revenue") == {"EUR": 1000 + 1100 + 1000 + 0}
    after = await customer_base(desk.client, ask("2026-03-05T06:00"))
    assert told(after, "one_receipt_customers") == {"": 3}
    assert told(after, "one_receipt_revenue") == {"EUR": 600 + 0}


async def test_one_receipt_and_repeat_customers_and_their_money_by_currency(desk: Desk) -> None:
    await desk.fill(
        bought("o1", "c:a", "2026-03-01T10:00", 1000),
        bought("o2", "c:b", "2026-03-01T10:00", 2000),
        bought("o3", "c:b", "2026-03-02T10:00", 500, currency="JPY", exponent=0, channel="app"),
        bought("o4", "c:b", "2025-01-01T10:00", 9999),  # before the base period: not counted, nor its money
        bought("o5", "c:c", "2026-03-02T10:00", 700, currency="JPY", exponent=0),
    )
    cells = await customer_base(desk.client, ask("2026-03-10T12:00"))
    assert told(cells, "one_receipt_customers") == {"": 2}
    assert told(cells, "repeat_customers") == {"": 1}
    assert told(cells, "repeat_customers_pct") == {"": Fraction(100, 3)}
    assert told(cells, "one_receipt_revenue") == {"EUR": 1000, "JPY": 700}
    assert told(cells, "repeat_revenue") == {"EUR": 2000, "JPY": 500}
    assert told(cells, "repeat_revenue_pct") == {"EUR": Fraction(200, 3), "JPY": Fraction(50000, 1200)}
    # Under a channel only its receipts exist (H122): b bought once in each.
    web = await customer_base(desk.client, ask("2026-03-10T12:00", channel="web"))
    assert told(web, "one_receipt_customers") == {"": 3}
    assert told(web, "repeat_revenue_pct") == {"EUR": 0, "JPY": 0}
    by_channel = await customer_base(desk.client, ask("2026-03-10T12:00", by=("channel",)))
    assert told(by_channel, "one_receipt_customers") == {"app": 1, "web": 3}
    assert told(by_channel, "customers_by_recency")["0-1|web"] == 3
    assert told(by_channel, "one_receipt_revenue") == {
        "app|EUR": 0,
        "app|JPY": 500,
        "web|EUR": 3000,
        "web|JPY": 700,
    }


async def test_what_customers_paid_in_all_may_be_more_than_64_bits_hold(desk: Desk) -> None:
    huge = 4 * 10**18
    # Three customers with one receipt, one with three, one of whose sums lies beyond already; and one in dollars.
    await desk.fill(
        *(bought(f"o{n}", f"c:{n}", "2026-03-01T10:00", huge) for n in range(3)),
        *(bought(f"b{n}", "c:b", "2026-03-01T10:00", huge) for n in range(3)),
        *(bought(f"d{n}", "c:d", "2026-03-01T10:00", huge, currency="USD") for n in range(3)),
    )
    cells = await customer_base(desk.client, ask("2026-03-10T12:00"))
    assert told(cells, "one_receipt_revenue") == {"EUR": 3 * huge, "USD": 0}
    assert told(cells, "repeat_revenue") == {"EUR": 3 * huge, "USD": 3 * huge}
    assert told(cells, "repeat_revenue_pct") == {"EUR": 50, "USD": 100}


async def test_a_store_without_receipts_has_counts_of_zero_and_no_ratios(desk: Desk) -> None:
    cells = await customer_base(desk.client, ask("2026-03-10T12:00", first=date(2026, 2, 1)))
    assert told(cells, "repeat_customers") == {"": 0}
    assert told(cells, "repeat_customers_pct") == {"": None}
    assert told(cells, "repeat_revenue_pct") == {"EUR": None}
    assert told(cells, "best_customers") == {"2026-02": 0, "2026-03": None}
    assert told(cells, "repeat_purchase_share") == {"2026-02": None, "2026-03": None}
    assert told(await assisted_sales(desk.client, ask("2026-03-10T12:00")), "assisted_amount") == {
        "2026-03|EUR": 0
    }


async def test_rows_of_other_stores_and_old_versions_do_not_count(desk: Desk) -> None:
    await desk.fill(
        bought("o1", "c:a", "2026-02-10T10:00", 1000),
        bought("o1", "c:a", "2026-02-10T10:00", 1200, version=2),
        bought("o2", "c:a", "2026-02-10T10:00", 1000, store_id="other"),
    )
    cells = await customer_base(desk.client, ask("2026-03-10T07:00"))
    assert told(cells, "one_receipt_revenue") == {"EUR": 1200}


def test_the_hour_is_that_of_the_store() -> None:
    kiritimati = Clock("Pacific/Kiritimati")  # UTC+14
    noon = round(datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp() * 1000)
    assert kiritimati.local(snapshot_instant(kiritimati, noon)).isoformat() == "2026-01-02T00:00:00+14:00"


async def test_an_empty_period_has_no_months_but_a_snapshot(desk: Desk) -> None:
    await desk.fill(bought("o1", "c:a", "2026-02-10T10:00"))
    values = await customer_values(desk.client, ask("2026-03-01T07:00", first=None, last=None), NAMES)
    assert {value.metric for value in values} == set(NAMES)
    assert told(values, "one_receipt_customers") == {"": 1}
    assert told(values, "best_customers") == told(values, "regular_amount") == {"": None}
