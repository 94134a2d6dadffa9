"""Views over sessions, exposures, counters, watermarks and the ledger, against values worked out by hand."""

from collections.abc import Iterator
from typing import Any

import pytest

from schemas.rows import DeadLetterRow, LedgerRow
from tests.sinks.making import (
    FEBRUARY,
    JANUARY,
    at,
    confirms,
    counter,
    date,
    exposure,
    order,
    session,
    watermark,
)
from tests.sinks.reading import Warehouse


@pytest.fixture(autouse=True)
def _empty(warehouse: Warehouse) -> Iterator[None]:
    yield
    warehouse.empty()


async def test_data_as_of_is_the_slowest_busy_partition(warehouse: Warehouse) -> None:
    def answer() -> tuple[object, ...]:
        return warehouse.rows(
            "SELECT toUnixTimestamp64Milli(data_as_of), partitions, idle_partitions,"
            " toUnixTimestamp64Milli(newest_record_at) FROM data_as_of"
        )[0]

    assert answer() == (0, 0, 0, 0)
    await warehouse.fill(watermark(0, at(3)), watermark(1, at(2)), watermark(2, at(1), idle=1))
    assert answer() == (at(2), 3, 1, at(3))
    await warehouse.fill(watermark(0, at(3), idle=1, version=2), watermark(1, at(2), idle=1, version=2))
    assert answer() == (at(3), 3, 3, at(3))
    # The first and the second go on; of what came to the third since nobody has heard.
    later = at(2) + 30_000
    await warehouse.fill(
        watermark(0, at(5), version=later + 60_000),
        watermark(1, at(5), idle=1, version=later + 60_001),
        watermark(2, at(1), idle=1, version=later),
    )
    assert answer() == (later, 3, 1, at(5))
    await warehouse.fill(watermark(2, at(1), idle=1, version=later + 1))
    assert answer() == (at(5), 3, 2, at(5))


async def test_sessions_close_and_bounce_by_data_as_of(warehouse: Warehouse) -> None:
    day: dict[str, Any] = {"channel": "whatsapp", "messages_in": 1, "closes_at": at(1, 11)}
    await warehouse.fill(
        session("c:one", **day),  # one message, nothing else: a bounce once it is closed
        session("c:two", **{**day, "messages_in": 2}),
        session("c:bought", **day, orders=1),  # an order is an interaction
        session(
            "c:helped", **day, supports=1, messages_out=3
        ),  # an agent's part is not the shopper's: a bounce
        session("c:outbound", **{**day, "messages_in": 0}, active=0, present=0),
        session("c:served", **{**day, "messages_in": 0}, active=0, experience_id=["e1"]),
        watermark(0, at(1, 11)),
    )
    query = (
        "SELECT total_sessions, channel_sessions, total_users, closed_sessions, bounced_sessions, bounce_rate,"
        " live_support_sessions, self_service_sessions, human_support_pct, self_service_pct,"
        " open_sessions FROM sessions_daily WHERE channel = 'whatsapp'"
    )
    # At the very millisecond of closes_at nothing is closed.
    assert warehouse.rows(query) == [(5, 4, 4, 0, 0, None, 1, 3, 25.0, 75.0, 4)]
    await warehouse.fill(watermark(0, at(1, 11) + 1, version=2))
    assert warehouse.rows(query) == [(5, 4, 4, 4, 2, 50.0, 1, 3, 25.0, 75.0, 0)]


async def test_a_day_without_active_sessions_has_null_rates(warehouse: Warehouse) -> None:
    await warehouse.fill(session(active=0))
    assert warehouse.rows(
        "SELECT total_sessions, channel_sessions, total_users, bounce_rate, human_support_pct, self_service_pct"
        " FROM sessions_daily"
    ) == [(1, 0, 0, None, None, None)]


async def test_recommendation_rates_by_day_of_the_session(warehouse: Warehouse) -> None:
    seen: dict[str, Any] = {"impressions": 2, "last_shown_at": at(1), "matures_at": at(8)}
    await warehouse.fill(
        session("c:a", "s:1", **seen, viewed=1, orders=1),
        session("c:b", "s:2", **seen, viewed=1),
        session("c:c", "s:3", **seen),
        session("c:d", "s:4", orders=1),  # saw nothing, bought something
        order(
            "o1",
            ("p1", 2, 100, "direct", "top"),
            person="c:a",
            session_key="s:1",
            day=2,
            **confirms("s:1", "top"),
        ),
        order("o2", ("p9", 1, 100, "none", ""), person="c:d", session_key="s:4"),
        order("o3", ("p1", 3, 100, "direct", "top"), person="c:e", session_key="", day=2),  # in no session
        # The same session_key of another person is another session (H31).
        order(
            "o4",
            ("p1", 1, 100, "direct", "top"),
            person="c:x",
            session_key="s:3",
            day=2,
            **confirms("s:3", "top"),
        ),
        watermark(0, at(8) - 1),
    )
    query = (
        "SELECT recommendation_sessions, recommendation_viewed_sessions, recommendation_ctr,"
        " recommendation_converted_sessions, recommendation_conversion_rate, recommendation_pending_sessions,"
        " toUnixTimestamp64Milli(recommendation_mature_at), purchase_sessions,"
        " purchase_sessions_with_recommended, purchase_sessions_with_recommended_pct, recommended_product_purchases,"
        " recommended_units FROM recommendations_daily ORDER BY store_date"
    )
    third = 100 / 3
    assert warehouse.rows(query) == [
        (3, 2, 2 * third, 1, third, 3, at(8), 2, 1, 50.0, 0, 0),
        (0, 0, None, 0, None, 0, 0, 0, 0, None, 3, 6),
    ]
    await warehouse.fill(watermark(0, at(8), version=2))
    assert [row[5] for row in warehouse.rows(query)] == [0, 0]


async def test_widgets_and_reach(warehouse: Warehouse) -> None:
    sold = ("p1", 1, 100, "direct", "top")
    await warehouse.fill(
        exposure("c:a", "s:1", "top", viewed=1, impressions=4),
        exposure("c:a", "s:1", "cart"),
        # Two orders confirm the same; that of another store, of another person, or withdrawn, says nothing.
        *(order(f"o{number}", sold, person="c:a", **confirms("s:1", "top")) for number in (1, 2)),
        order("o3", sold, store_id="bravo", person="c:a", **confirms("s:1", "cart")),
        order("o4", sold, person="c:b", **confirms("s:1", "cart")),
        order("o5", sold, person="c:a", **confirms("s:1", "cart"), is_deleted=1),
        # Past midnight, and seen in the app as well: reach counts the day and channel of the impression.
        exposure(
            "c:b",
            "s:2",
            "top",
            shown_dates=[date(1), date(2)],
            shown_channels=["web", "app"],
            shown_at=[at(1), at(2)],
        ),
    )
    assert warehouse.rows(
        "SELECT widget_id, sum(recommendation_sessions), sum(recommendation_viewed_sessions), max(recommendation_ctr),"
        " sum(recommendation_converted_sessions), max(recommendation_conversion_rate) FROM recommendations_by_widget"
        " GROUP BY widget_id ORDER BY widget_id"
    ) == [("cart", 1, 0, 0.0, 0, 0.0), ("top", 2, 1, 50.0, 1, 50.0)]
    assert warehouse.rows(
        "SELECT toDayOfMonth(store_date), channel, widget_id, person FROM reach ORDER BY ALL"
    ) == [
        (1, "web", "cart", "c:a"),
        (1, "web", "top", "c:a"),
        (1, "web", "top", "c:b"),
        (2, "app", "top", "c:b"),
    ]

    assert warehouse.rows(
        "SELECT toDayOfMonth(store_date), channel, sum(recommendation_unique_customers) FROM recommendations_daily"
        " GROUP BY ALL ORDER BY ALL"
    ) == [(1, "web", 2), (2, "app", 1)]


async def test_counters_sum_partitions_and_keep_live_windows_apart(warehouse: Warehouse) -> None:
    await warehouse.fill(
        counter(0, {"adds": 2, "clicks": 5}),
        counter(1, {"adds": 3}),
        counter(1, {"adds": 4}, version=2),  # corrected, not added
        counter(0, {"adds": 1}, window_seconds=60),
    )
    assert warehouse.rows("SELECT measure, value FROM counts_15m ORDER BY measure") == [
        ("adds", 6),
        ("clicks", 5),
    ]


async def test_live_counters_are_kept_while_they_are_young(warehouse: Warehouse) -> None:
    now = warehouse.value("SELECT toUnixTimestamp64Milli(now64(3))")
    await warehouse.fill(
        *(counter(partition, {"adds": 1}, window_seconds=60, window_start=now) for partition in (0, 1))
    )
    assert warehouse.rows("SELECT measure, value FROM counts_live") == [("adds", 2)]


async def test_buckets_add_up(warehouse: Warehouse) -> None:
    def ledger(partition: int, *numbers: int, version: int = 1) -> LedgerRow:
        names = ("read", "accepted", "duplicate", "test_traffic", "dead_letter", "too_late", "forwarded")
        counts = dict(zip(names, numbers, strict=True))
        return LedgerRow(
            topic="order", partition=partition, hour=at(1), born=JANUARY, reasons=[], reason_counts=[],
            version=version, **counts,
        )  # fmt: skip

    await warehouse.fill(
        ledger(0, 10, 4, 1, 1, 1, 1, 2),
        ledger(1, 5, 5, 0, 0, 0, 0, 0),
        ledger(1, 7, 6, 0, 0, 0, 0, 0, version=2),
    )
    assert warehouse.rows("SELECT * EXCEPT hour FROM buckets") == [("order", 17, 10, 1, 1, 1, 1, 2, 1)]


async def test_dead_letters_are_shown_once_and_byte_for_byte(warehouse: Warehouse) -> None:
    letter = DeadLetterRow(
        "cart", 1, 5, JANUARY, 1, 2, "wrong_type", "quantity", "acme", b"k", b"\xff", ["h"], [b"\0"], 1
    )
    await warehouse.fill(letter)
    await warehouse.fill(letter)
    assert warehouse.rows(
        "SELECT topic, partition, offset, reason, field, hex(value), header_names, hex(header_values[1])"
        " FROM dead_letter_records"
    ) == [("cart", 1, 5, "wrong_type", "quantity", "FF", ["h"], "00")]


async def test_reads_are_exact_before_and_after_merges(warehouse: Warehouse) -> None:
    for version in range(1, 6):
        await warehouse.fill(
            session(clicks=version, version=version), session("c:b", born=FEBRUARY, version=version)
        )
    await warehouse.fill(session("c:b", born=FEBRUARY, version=9, is_deleted=1))
    query = "SELECT person, clicks FROM session"
    assert warehouse.rows(query) == [("c:ann", 5)]
    warehouse.client.command("OPTIMIZE TABLE sessions FINAL")
    # One merged part a month: the engine may skip the merge, but must still hide the deleted row.
    assert warehouse.rows(query) == [("c:ann", 5)]
