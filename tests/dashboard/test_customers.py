"""The customer base against values worked out by hand: on the real engine, rows as the sink writes them."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from dashboard.asking import Value
from dashboard.customers import CustomerAsk, customer_values, slots_of, snapshot_instant
from dashboard.periods import Clock
from schemas.metrics.customers import ASSISTED, METRICS
from schemas.rows import OrderRow
from schemas.stores import Rfm, Store
from tests.fixtures.clickhouse import ClickHouseEndpoint
from tests.sinks.making import notification, order
from tests.sinks.reading import Warehouse

STORE = Store(zone="Europe/Madrid", currency="EUR")
MADRID = ZoneInfo("Europe/Madrid")
NAMES = [metric.name for metric in METRICS]
WINDOW = STORE.attribution_window_ms


def ms(text: str) -> int:
    """Epoch ms of a clock time in Madrid."""
    return round(datetime.fromisoformat(text).replace(tzinfo=MADRID).timestamp() * 1000)


def days(instant: int) -> int:
    """The Madrid date of an instant, as rows hold it."""
    return datetime.fromtimestamp(instant / 1000, tz=MADRID).date().toordinal() - date(1970, 1, 1).toordinal()


def bought(order_id: str, person: str, at: str, total: int = 1000, **fields: Any) -> OrderRow:
    """An order of one line, without shipping unless `extra` says so."""
    instant = ms(at)
    day = days(instant)
    extra = fields.get("extra", 0)
    defaults: dict[str, Any] = {
        "person": person,
        "captured_at": instant,
        "store_date": day,
        "born": day,
    }
    return order(order_id, ("p1", 1, total - extra, "none", ""), **{**defaults, **fields})


def taken_back(*steps: tuple[str, str, int, int]) -> dict[str, Any]:
    """(kind, clock time, of the total, of the line)"""
    instants = [ms(at) for _, at, _, _ in steps]
    return {
        "adjustment": [kind for kind, *_ in steps],
        "adjustment_id": ["" if kind == "cancel" else f"r{n}" for n, (kind, *_) in enumerate(steps)],
        "adjusted_at": instants,
        "adjustment_date": [days(at) for at in instants],
        "adjustment_amount": [amount for _, _, amount, _ in steps],
        "adjustment_lines": [[line] for *_, line in steps],
    }


@pytest.fixture(autouse=True)
def _empty(warehouse: Warehouse) -> Iterator[None]:
    yield
    warehouse.empty()


@pytest.fixture
async def reader(clickhouse: ClickHouseEndpoint, warehouse: Warehouse) -> AsyncIterator[Any]:
    """The read-only side, as in production."""
    client = await clickhouse.async_client(warehouse.address.database, reader=True)
    try:
        yield client
    finally:
        await client.close()


def ask(as_of: str, *, store: Store = STORE, **fields: Any) -> CustomerAsk:
    """About acme; the period is as_of's day unless said otherwise."""
    today = Clock(store.zone).day(ms(as_of))
    return CustomerAsk(
        **{"store_id": "acme", "store": store, "as_of": ms(as_of), "first": today, "last": today, **fields}
    )


def told(values: list[Value], metric: str) -> dict[str, Any]:
    """The values of one metric: what tells them apart (joined with |) -> number."""
    return {
        "|".join((*value.by, *((value.currency,) if value.currency else ()))): value.current
        for value in values
        if value.metric == metric
    }


async def customer_base(client: Any, asked: CustomerAsk) -> list[Value]:
    """M43 to M48."""
    return await customer_values(client, asked, [name for name in NAMES if name not in ASSISTED])


async def assisted_sales(client: Any, asked: CustomerAsk) -> list[Value]:
    """M49 and M50."""
    return await customer_values(client, asked, ASSISTED)


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


async def test_recency_counts_whole_calendar_months(warehouse: Warehouse, reader: Any) -> None:
    await warehouse.fill(
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
    cells = await customer_base(reader, ask("2026-03-31T11:59"))
    assert told(cells, "customers_by_recency") == {"0-1": 1, "1-3": 2, "3-7": 1, "7-11": 0, "11-12": 2}
    cells = await customer_base(reader, ask("2026-03-31T11:59", by=("recency_months",)))
    by_month = told(cells, "customers_by_recency")
    assert {month: count for month, count in by_month.items() if count} == {"0": 1, "1": 2, "3": 1, "11": 2}
    assert list(by_month) == [str(month) for month in range(12)]


async def test_a_month_is_not_whole_before_its_day(warehouse: Warehouse, reader: Any) -> None:
    await warehouse.fill(bought("o1", "c:a", "2026-01-31T10:00"), bought("o2", "c:b", "2026-01-28T10:00"))
    cells = await customer_base(reader, ask("2026-02-28T12:00", by=("recency_months",)))
    assert {month: count for month, count in told(cells, "customers_by_recency").items() if count} == {
        "0": 1,
        "1": 1,
    }


async def test_what_is_a_receipt_depends_on_when_it_is_looked_at(warehouse: Warehouse, reader: Any) -> None:
    await warehouse.fill(
        bought("o1", "c:canceled", "2026-03-01T10:00", **taken_back(("cancel", "2026-03-05T00:00", 1000, 1000))),
        # Shipping need not come back: the goods did.
        bought(
            "o2", "c:returned", "2026-03-01T10:00", 1500, extra=500,
            **taken_back(("refund", "2026-03-03T10:00", 400, 400), ("refund", "2026-03-05T00:00", 600, 600)),
        ),
        bought("o3", "c:partly", "2026-03-01T10:00", **taken_back(("refund", "2026-03-05T00:00", 400, 400))),
        bought("o4", "c:gift", "2026-03-01T10:00", 0),
    )  # fmt: skip
    # At the very instant nothing is taken back yet: only what came before it counts.
    before = await customer_base(reader, ask("2026-03-05T00:00"))
    assert told(before, "one_receipt_customers") == {"": 4}
    assert told(before, "one_receipt_revenue") == {"EUR": 1000 + 1100 + 1000 + 0}
    after = await customer_base(reader, ask("2026-03-05T06:00"))
    assert told(after, "one_receipt_customers") == {"": 2}
    assert told(after, "one_receipt_revenue") == {"EUR": 600 + 0}


async def test_one_receipt_and_repeat_customers_and_their_money_by_currency(
    warehouse: Warehouse, reader: Any
) -> None:
    await warehouse.fill(
        bought("o1", "c:a", "2026-03-01T10:00", 1000),
        bought("o2", "c:b", "2026-03-01T10:00", 2000),
        bought("o3", "c:b", "2026-03-02T10:00", 500, currency="JPY", exponent=0, channel="app"),
        bought("o4", "c:b", "2025-01-01T10:00", 9999),  # before the base period: not counted, nor its money
        bought("o5", "c:c", "2026-03-02T10:00", 700, currency="JPY", exponent=0),
    )
    cells = await customer_base(reader, ask("2026-03-10T12:00"))
    assert told(cells, "one_receipt_customers") == {"": 2}
    assert told(cells, "repeat_customers") == {"": 1}
    assert told(cells, "repeat_customers_pct") == {"": Fraction(100, 3)}
    assert told(cells, "one_receipt_revenue") == {"EUR": 1000, "JPY": 700}
    assert told(cells, "repeat_revenue") == {"EUR": 2000, "JPY": 500}
    assert told(cells, "repeat_revenue_pct") == {"EUR": Fraction(200, 3), "JPY": Fraction(50000, 1200)}
    # Under a channel only its receipts exist (H122): b bought once in each.
    web = await customer_base(reader, ask("2026-03-10T12:00", channel="web"))
    assert told(web, "one_receipt_customers") == {"": 3}
    assert told(web, "repeat_revenue_pct") == {"EUR": 0, "JPY": 0}
    by_channel = await customer_base(reader, ask("2026-03-10T12:00", by=("channel",)))
    assert told(by_channel, "one_receipt_customers") == {"app": 1, "web": 3}
    assert told(by_channel, "customers_by_recency")["0-1|web"] == 3
    assert told(by_channel, "one_receipt_revenue") == {
        "app|EUR": 0,
        "app|JPY": 500,
        "web|EUR": 3000,
        "web|JPY": 700,
    }


async def test_a_store_without_receipts_has_counts_of_zero_and_no_ratios(reader: Any) -> None:
    cells = await customer_base(reader, ask("2026-03-10T12:00", first=date(2026, 2, 1)))
    assert told(cells, "repeat_customers") == {"": 0}
    assert told(cells, "repeat_customers_pct") == {"": None}
    assert told(cells, "repeat_revenue_pct") == {"EUR": None}
    assert told(cells, "best_customers") == {"2026-02": 0, "2026-03": None}
    assert told(cells, "repeat_purchase_share") == {"2026-02": None, "2026-03": None}
    assert told(await assisted_sales(reader, ask("2026-03-10T12:00")), "assisted_amount") == {
        "2026-03|EUR": 0
    }


async def test_quintiles_share_scores_among_equals(warehouse: Warehouse, reader: Any) -> None:
    # Ten customers: n buys on day 2n of February, n times over (all on that day), for n euros each time.
    # R: dates 2, 4, .. 20; c1 = 2nd value (4), c4 = 8th (16). R = 1: customers 1, 2. R = 5: 9, 10.
    # F: 1..10, the same order; M: n * n. So best = {9, 10}, lost = {1, 2}.
    rows = [
        bought(f"o{n}-{k}", f"c:{n}", f"2026-02-{2 * n:02}T10:0{k % 10}", 100 * n)
        for n in range(1, 11)
        for k in range(n)
    ]
    await warehouse.fill(*rows)
    february: dict[str, Any] = {"first": date(2026, 2, 10), "last": date(2026, 2, 11)}
    cells = await customer_base(reader, ask("2026-03-01T00:00", **february))
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
    await warehouse.fill(*tied)
    cells = await customer_base(reader, ask("2026-03-01T00:00", **february))
    assert told(cells, "lost_customers") == {"2026-02": 7}
    assert told(cells, "best_customers") == {"2026-02": 2}


async def test_one_customer_scores_one_and_money_is_in_the_currency_of_the_store(
    warehouse: Warehouse, reader: Any
) -> None:
    february: dict[str, Any] = {"first": date(2026, 2, 10), "last": date(2026, 2, 11)}
    await warehouse.fill(bought("o1", "c:a", "2026-02-02T10:00"))
    cells = await customer_base(reader, ask("2026-03-10T12:00", **february))
    assert (told(cells, "best_customers"), told(cells, "lost_customers")) == ({"2026-02": 0}, {"2026-02": 1})
    # Five customers, one ahead in all: c4 is the 4th value. Her yen would put her ahead, her euros do not.
    await warehouse.fill(
        *(bought(f"p{n}", f"c:{n}", f"2026-02-0{n}T10:00", 100 * n) for n in range(1, 5)),
        bought("p8", "c:5", "2026-02-20T10:00", 90_000, currency="JPY", exponent=0),
        bought("p9", "c:5", "2026-02-21T10:00", 100),
        bought("o1", "c:a", "2026-02-02T10:00", version=2, is_deleted=1),
    )
    cells = await customer_base(reader, ask("2026-03-10T12:00", **february))
    assert told(cells, "best_customers") == {"2026-02": 0}
    await warehouse.fill(bought("p9", "c:5", "2026-02-21T10:00", 401, version=2))
    cells = await customer_base(reader, ask("2026-03-10T12:00", **february))
    assert told(cells, "best_customers") == {"2026-02": 1}


async def test_fixed_thresholds_score_by_days_receipts_and_money(warehouse: Warehouse, reader: Any) -> None:
    store = msgspec.structs.replace(
        STORE, rfm=Rfm("fixed", r_days=(5, 10, 20, 27), f=(2, 3, 4, 5), m=(1, 2, 3, 5000))
    )
    february: dict[str, Any] = {"first": date(2026, 2, 10), "last": date(2026, 2, 11), "store": store}
    five = [bought(f"a{n}", "c:a", f"2026-02-{19 + n}T10:00") for n in range(5)]  # last on the 23rd: 5 days
    await warehouse.fill(
        *five,
        *(bought(f"b{n}", "c:b", f"2026-02-{18 + n}T10:00") for n in range(5)),  # 6 days
        bought("c0", "c:c", "2026-02-01T10:00"),  # 27 days: scores 2
        bought("d0", "c:d", "2026-01-31T10:00"),  # 28 days: scores 1
    )
    cells = await customer_base(reader, ask("2026-03-10T12:00", **february))
    assert (told(cells, "best_customers"), told(cells, "lost_customers")) == ({"2026-02": 1}, {"2026-02": 1})
    # A refund in March does not change February (H115); one in February takes the money below the threshold.
    for day, best in (("2026-03-01T00:00", 1), ("2026-02-28T23:59:59.999", 0)):
        changed = taken_back(("refund", day, 1, 1))
        await warehouse.fill(bought("a0", "c:a", "2026-02-19T10:00", version=2 + (best == 0), **changed))
        cells = await customer_base(reader, ask("2026-03-10T12:00", **february))
        assert told(cells, "best_customers") == {"2026-02": best}


async def test_repeat_share_golden_case_twelve(warehouse: Warehouse, reader: Any) -> None:
    # Nine buyers in February, eight of them had bought before: 88.89 %. A hundred customers: 8.00 % of the base.
    await warehouse.fill(
        *(bought(f"f{n}", f"c:{n}", "2026-02-10T10:00") for n in range(9)),
        *(
            bought(f"j{n}", f"c:{n}", "2024-01-10T10:00") for n in range(8)
        ),  # older than the base period: counts
        *(bought(f"x{n}", f"c:x{n}", "2025-11-10T10:00") for n in range(91)),
        # The ninth's second receipt is of March: February is not told (E34).
        bought("m8", "c:8", "2026-03-01T00:00"),
    )
    months: dict[str, Any] = {"first": date(2026, 2, 1), "last": date(2026, 3, 5)}
    cells = await customer_base(reader, ask("2026-03-10T07:00", **months))
    share = told(cells, "repeat_purchase_share")
    assert share == {"2026-02": Fraction(800, 9), "2026-03": 100}
    assert told(cells, "repeat_purchase_share_of_base") == {"2026-02": 8, "2026-03": 9}
    february, march = (value for value in cells if value.metric == "repeat_purchase_share")
    assert (february.numerator, february.denominator) == (8, 9)
    assert (february.is_provisional, february.matures_at) == (False, None)
    assert (march.is_provisional, march.matures_at) == (True, ms("2026-04-01T00:00"))


async def test_receipts_with_a_communication_in_the_window_before_are_assisted(
    warehouse: Warehouse, reader: Any
) -> None:
    at = ms("2026-02-10T10:00")
    await warehouse.fill(
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
        # First sent to another person: not this one's.
        bought("o7", "c:other", "2026-02-10T10:00", 32000),
        notification("n7", "c:somebody", sent_at=at - 2),
        notification("n7", "c:other", sent_at=at - 1),
    )
    cells = await assisted_sales(reader, ask("2026-03-10T07:00", first=date(2026, 2, 1)))
    assert told(cells, "assisted_receipts") == {"2026-02": 2, "2026-03": 0}
    assert told(cells, "regular_receipts") == {"2026-02": 4, "2026-03": 0}
    assert told(cells, "assisted_amount") == {"2026-02|EUR": 5000, "2026-03|EUR": 0}
    assert told(cells, "regular_amount") == {"2026-02|EUR": 58000, "2026-03|EUR": 0}


async def test_assisted_receipts_are_told_apart_by_the_latest_communication(
    warehouse: Warehouse, reader: Any
) -> None:
    at = ms("2026-02-10T10:00")
    await warehouse.fill(
        bought("o1", "c:a", "2026-02-10T10:00", 1000, **taken_back(("refund", "2026-02-11T10:00", 300, 300))),
        notification("n1", "c:a", sent_at=at - 50, notification_channel="sms"),
        notification("n3", "c:a", sent_at=at - 5, notification_channel="sms"),
        notification("n2", "c:a", sent_at=at - 5, notification_channel="push", journey_id="win-back"),
        bought("o2", "c:b", "2026-02-10T10:00", 2000, currency="JPY", exponent=0, channel="app"),
        notification("n4", "c:b", sent_at=at - 5),
        bought("o3", "c:c", "2026-02-10T10:00", 4000),
    )
    period: dict[str, Any] = {"first": date(2026, 2, 1), "last": date(2026, 2, 1)}
    cells = await assisted_sales(reader, ask("2026-03-10T07:00", by=("notification_channel",), **period))
    assert told(cells, "assisted_receipts") == {"2026-02|email": 1, "2026-02|push": 1}
    assert told(cells, "assisted_amount") == {
        "2026-02|email|EUR": 0, "2026-02|email|JPY": 2000, "2026-02|push|EUR": 700, "2026-02|push|JPY": 0,
    }  # fmt: skip
    assert told(cells, "regular_receipts") == {}
    cells = await assisted_sales(reader, ask("2026-03-10T07:00", by=("journey_id",), **period))
    assert told(cells, "assisted_receipts") == {"2026-02|welcome": 1, "2026-02|win-back": 1}
    cells = await assisted_sales(reader, ask("2026-03-10T07:00", by=("channel",), **period))
    assert told(cells, "assisted_receipts") == {"2026-02|app": 1, "2026-02|web": 1}
    assert told(cells, "regular_receipts") == {"2026-02|app": 0, "2026-02|web": 1}
    cells = await assisted_sales(reader, ask("2026-03-10T07:00", channel="app", **period))
    assert told(cells, "assisted_amount") == {"2026-02|EUR": 0, "2026-02|JPY": 2000}


async def test_rows_of_other_stores_and_old_versions_do_not_count(warehouse: Warehouse, reader: Any) -> None:
    await warehouse.fill(
        bought("o1", "c:a", "2026-02-10T10:00", 1000),
        bought("o1", "c:a", "2026-02-10T10:00", 1200, version=2),
        bought("o2", "c:a", "2026-02-10T10:00", 1000, store_id="other"),
    )
    cells = await customer_base(reader, ask("2026-03-10T07:00"))
    assert told(cells, "one_receipt_revenue") == {"EUR": 1200}


def test_the_hour_is_that_of_the_store() -> None:
    kiritimati = Clock("Pacific/Kiritimati")  # UTC+14
    noon = round(datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp() * 1000)
    assert kiritimati.local(snapshot_instant(kiritimati, noon)).isoformat() == "2026-01-02T00:00:00+14:00"


async def test_an_empty_period_has_no_months_but_a_snapshot(warehouse: Warehouse, reader: Any) -> None:
    await warehouse.fill(bought("o1", "c:a", "2026-02-10T10:00"))
    values = await customer_values(reader, ask("2026-03-01T07:00", first=None, last=None), NAMES)
    assert {value.metric for value in values} == set(NAMES)
    assert told(values, "one_receipt_customers") == {"": 1}
    assert told(values, "best_customers") == told(values, "regular_amount") == {"": None}
