"""Sessions, users, bounce and support (M1, M32 to M42), against values worked out by hand."""

from fractions import Fraction
from typing import Any

from dashboard.asking import State
from dashboard.periods import Period
from tests.dashboard.asking import Desk
from tests.sinks.making import at, date, order, session


async def test_present_and_active_sessions(desk: Desk) -> None:
    await desk.fill(
        session("c:a", "s:1", device="mobile", country="ES"),
        session("c:a", "s:2", active=0, device="mobile"),
        session("c:b", "s:3", active=0, present=0),
        session("c:b", "s:4", channel="app", device="desktop", country="ES"),
        session("c:b", "s:4", channel="app", store_id="madrid"),
    )
    assert await desk.numbers("total_sessions", "channel_sessions") == {
        "total_sessions": 3,
        "channel_sessions": 2,
    }
    assert await desk.numbers("total_sessions", channel="app") == {"total_sessions": 1}
    assert await desk.numbers("total_sessions", by=("device",)) == {
        ("total_sessions", "mobile"): 2,
        ("total_sessions", "desktop"): 1,
    }
    assert await desk.numbers("total_sessions", by=("channel", "country")) == {
        ("total_sessions", "web", ""): 1,
        ("total_sessions", "web", "ES"): 1,
        ("total_sessions", "app", "ES"): 1,
    }


async def test_golden_case_10_bounces_count_among_closed_sessions(desk: Desk) -> None:
    talk: dict[str, Any] = {"channel": "whatsapp", "messages_in": 1, "closes_at": at(1, 11)}
    await desk.fill(
        session("c:one", **talk),  # one message: a bounce once it is closed
        session("c:order", **talk, orders=1),
        session("c:two", **{**talk, "messages_in": 2}),
        session("c:outbound", **{**talk, "messages_in": 0}, messages_out=2, active=0),
        session("c:helped", **talk, supports=1),
    )
    names = ("bounce_rate", "human_support_pct", "self_service_pct", "live_support_sessions")
    closed = await desk.ask(*names, "self_service_sessions")
    bounce = closed.one("bounce_rate")
    assert (bounce.current, bounce.numerator, bounce.denominator) == (50, 2, 4)
    assert (bounce.is_provisional, bounce.previous, bounce.change_pp, bounce.state) == (
        False,
        None,
        None,
        None,
    )
    assert closed.one("human_support_pct").current == 25
    assert closed.one("self_service_pct").current == 75
    assert (closed.one("live_support_sessions").current, closed.one("self_service_sessions").current) == (
        1,
        3,
    )
    # At the very millisecond of closes_at nothing is closed: null, and it may still change.
    at_the_edge = (await desk.ask("bounce_rate", as_of=at(1, 11))).one("bounce_rate")
    assert (at_the_edge.current, at_the_edge.is_provisional) == (None, True)
    assert (await desk.ask("bounce_rate", as_of=at(1, 11) + 1)).one("bounce_rate").current == 50


async def test_golden_case_5_users_of_days_and_of_the_range(desk: Desk) -> None:
    await desk.fill(
        *(session("c:a", f"s:{day}", day=day, started_at=at(day)) for day in (1, 2, 3)),
        session("c:b", "s:9", day=3),
        session("c:seen", "s:8", day=2, active=0),  # only looked at: in no count of users
    )
    users = (
        "total_users",
        "total_new_users",
        "total_returning_users",
        "new_users_pct",
        "returning_users_pct",
    )
    for first, last, told in (
        (1, 1, (1, 1, 0, 100, 0)),
        (2, 2, (1, 0, 1, 0, 100)),
        (3, 3, (2, 1, 1, 50, 50)),
        (1, 3, (2, 2, 0, 100, 0)),  # new and back in the same period: new only
        (2, 3, (2, 1, 1, 50, 50)),
        (4, 9, (0, 0, 0, None, None)),
    ):
        found = await desk.numbers(*users, first=first, last=last)
        assert tuple(found[name] for name in users) == told, (first, last)
    before = (await desk.ask(*users, first=3, last=3)).values
    assert [each.previous for each in before] == [1, 0, 1, 0, 100]
    before = (await desk.ask(*users, first=2, last=2)).values
    assert [each.previous for each in before] == [1, 1, 0, 100, 0]


async def test_the_first_ever_session_is_that_of_the_channel_asked(desk: Desk) -> None:
    await desk.fill(
        session("c:a", "s:1", day=1),
        session("c:a", "s:2", day=20, channel="whatsapp"),
    )
    assert await desk.numbers("total_new_users", first=20, last=20) == {"total_new_users": 0}
    assert await desk.numbers("total_new_users", first=20, last=20, channel="whatsapp") == {
        "total_new_users": 1
    }
    assert await desk.numbers(
        "total_new_users", "total_returning_users", first=20, last=20, by=("channel",)
    ) == {("total_new_users", "whatsapp"): 1}


async def test_orders_per_user_and_per_session_are_not_matched_and_may_exceed_100(desk: Desk) -> None:
    await desk.fill(
        session("c:a", "s:1", day=2),
        session("c:b", "s:2", day=2),
        *(order(f"o{number}", ("p", 1, 100, "none", ""), day=2) for number in range(3)),
        session("c:a", "s:0", day=1),
    )
    found = await desk.ask("average_conversion_per_user", "conversion_rate", first=2, last=2)
    assert found.one("average_conversion_per_user").current == Fraction(3, 2)
    rate = found.one("conversion_rate")
    assert (rate.current, rate.previous, rate.change_pct) == (150, 0, None)
    assert rate.change_pp == 150
    assert rate.state is State.NEW
    nothing = await desk.numbers("average_conversion_per_user", "conversion_rate", first=9, last=9)
    assert nothing == {"average_conversion_per_user": None, "conversion_rate": None}


async def test_golden_case_4_an_order_after_midnight_is_shown_on_its_own_day(desk: Desk) -> None:
    await desk.fill(
        session("c:a", "s:1", started_at=at(1, 23, 55), ended_at=at(2, 0, 10), orders=1),
        order("o1", ("p", 1, 100, "none", ""), person="c:a", captured_at=at(2, 0, 5), store_date=date(2)),
    )
    names = ("channel_sessions", "total_orders", "conversion_rate")
    assert await desk.numbers(*names, first=1, last=1) == dict(zip(names, (1, 0, 0), strict=True))
    assert await desk.numbers(*names, first=2, last=2) == dict(zip(names, (0, 1, None), strict=True))


async def test_today_is_compared_until_the_same_clock_time(desk: Desk) -> None:
    await desk.fill(
        session("c:a", "s:1", day=9, started_at=at(9, 8)),
        session("c:a", "s:2", day=9, started_at=at(9, 14)),
        session("c:b", "s:3", day=10, started_at=at(10, 8)),
        session("c:b", "s:4", day=10, started_at=at(10, 12)),  # not before data_as_of
    )
    found = await desk.ask("total_sessions", period=Period.TODAY, as_of=at(10, 12))
    value = found.one("total_sessions")
    assert (value.current, value.previous, value.state) == (1, 1, State.FLAT)
    assert (found.data_as_of, found.as_of_past) == (at(10, 12), False)


async def test_an_empty_period_is_null_all_over(desk: Desk) -> None:
    await desk.fill(session("c:a", "s:1", day=1))
    found = await desk.ask("total_sessions", "total_revenue", "bounce_rate", first=2, last=3, as_of=at(1, 12))
    assert found.resolved.empty_period
    assert {
        (each.metric, each.currency, each.current, each.previous, each.change_pct, each.state)
        for each in found.values
    } == {
        ("total_sessions", None, None, None, None, None),
        ("bounce_rate", None, None, None, None, None),
        ("total_revenue", "EUR", None, None, None, None),
    }
